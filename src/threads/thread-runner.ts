// In a data-plane thread: makes its data plane of the setup that it is given, then does what it is told, in order.

import type { MessagePort } from 'node:worker_threads';
import { Gauges } from '../core/gauges.ts';
import { Ledger } from '../core/sessions.ts';
import { ConnectionCount } from '../engine/connection-count.ts';
import { LogLimiter } from '../observe/log-limiter.ts';
import { Board } from './board.ts';
import { LineSink, openLines } from './line-sink.ts';
import { LocalDataPlane } from './local-data-plane.ts';
import { type Command, type FromThread, type ThreadSetup, type ToThread, wallClock } from './messages.ts';

type Started = Exclude<Command, { readonly do: 'start' | 'lines-left' }>;

export function runThread(port: MessagePort): void {
  const tell = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  const lines = new LineSink((bytes) => tell({ told: 'lines', bytes }, [bytes.buffer]));
  let running: Promise<Running> | null = null;
  const carryOut = async (command: Command): Promise<unknown> => {
    switch (command.do) {
      case 'start':
        running = start(command.setup, lines, tell);
        return (await running).bound;
      case 'lines-left':
        return lines.left();
      default:
        if (running === null) throw new Error('the thread was not started');
        return (await running).obey(command);
    }
  };
  port.on('message', ({ id, command }: ToThread) => {
    carryOut(command).then(
      (value) => id !== 0 && tell({ told: 'answer', id, value }),
      (error: unknown) => {
        if (id === 0) throw error;
        tell({ told: 'failure', id, message: error instanceof Error ? error.message : String(error) });
      },
    );
  });
  tell({ told: 'ready' });
}

interface Running {
  readonly bound: readonly { readonly host: string; readonly port: number }[];
  /** What it returns is the answer. */
  readonly obey: (command: Started) => unknown;
}

async function start(
  setup: ThreadSetup,
  sink: LineSink,
  tell: (message: FromThread) => void,
): Promise<Running> {
  const { thread, kind, listen, settings, shared } = setup;
  const warnings = new LogLimiter({ warn: (fields, message) => tell({ told: 'warning', fields, message }) });
  const lines = openLines(sink, (dropped) =>
    warnings.warn('access log lines dropped by a thread', { dropped }),
  );
  const board = new Board(shared.board);
  const plane = await LocalDataPlane.create(
    {
      thread,
      kind,
      listen,
      settings,
      ledger: Ledger.attach(shared.ledger, thread),
      gauges: Gauges.attach(shared.gauges, thread),
      connections: new ConnectionCount(shared.connections, thread),
      counts: shared.counts,
    },
    {
      wallMs: wallClock(setup.clock),
      onUpstreamFault: (fault) => tell({ told: 'upstream-fault', fault }),
      onAsset: (asset) => tell({ told: 'asset', asset }),
      onSkewed: (paths) => tell({ told: 'skewed', paths }),
      onFault: (message, error) => warnings.warn(message, { detail: tellable(error) }),
      writeLine: (exchange, id) => lines.write(exchange, id),
      flushLines: () => lines.flush(),
    },
  );
  plane.setOwnListeners(setup.own);
  plane.countCanaries(setup.canaries);
  await plane.install(setup.table);
  const bound = await plane.listen();
  let told = { droppedLines: 0, deniedRetries: 0 };
  const beat = () => {
    const stats = plane.stats();
    const now = { droppedLines: lines.dropped, deniedRetries: stats.deniedRetries };
    board.add(thread, {
      droppedLines: now.droppedLines - told.droppedLines,
      deniedRetries: now.deniedRetries - told.deniedRetries,
    });
    told = now;
    board.beat(thread, stats);
  };
  beat();
  setInterval(beat, setup.beatMs);
  const shutDown = async (graceMs: number) => {
    await plane.shutdown(graceMs);
    await lines.close();
    beat();
  };
  return { bound, obey: (command) => obey(plane, command, shutDown) };
}

function obey(
  plane: LocalDataPlane,
  command: Started,
  shutDown: (graceMs: number) => Promise<void>,
): unknown {
  switch (command.do) {
    case 'install':
      return plane.install(command.table);
    case 'configure':
      return plane.configure(command.settings);
    case 'count-canaries':
      return plane.countCanaries(command.counts);
    case 'close-upstreams':
      return plane.closeUpstreams(command.version, command.address);
    case 'abort-version':
      return plane.abortVersion(command.version);
    case 'close-streams':
      return plane.closeStreams(command.version, command.which, command.jitterMs, command.address);
    case 'availability-changed':
      return plane.availabilityChanged();
    case 'set-own-listeners':
      return plane.setOwnListeners(command.own);
    case 'explain-past':
      return plane.explainPast(command.request);
    case 'flush-lines':
      return plane.gatherLines();
    case 'shut-down':
      return shutDown(command.graceMs);
    default:
      return command satisfies never;
  }
}

/** What the log makes of an error, as plain data: a code would be lost on the way otherwise. */
function tellable(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' && error !== null ? { ...error } : error;
  const { name, message, stack, ...more } = error as Error & Record<string, unknown>;
  return { type: name, message, stack, ...more };
}
