// An engine in threads of its own, for the suites that every engine runs: what it records is read from the lines of its
// access log, as an operator reads it.

import type { ExchangeRecord } from '../../src/core/exchange.ts';
import type { UpstreamFault } from '../../src/core/fault.ts';
import type { Gauges } from '../../src/core/gauges.ts';
import type { Ledger } from '../../src/core/sessions.ts';
import { ConnectionCount } from '../../src/engine/connection-count.ts';
import type { EngineOptions } from '../../src/engine/contract.ts';
import { CountCells } from '../../src/observe/count-cells.ts';
import { Board } from '../../src/threads/board.ts';
import type { DataPlaneSettings, EngineKind } from '../../src/threads/data-plane.ts';
import { ThreadedEngine, type ThreadedPorts } from '../../src/threads/threaded-engine.ts';
import { waitFor } from '../kit/wait-for.ts';

export interface ThreadsOptions {
  readonly threads: number;
  readonly kind: EngineKind;
  readonly options: EngineOptions;
  readonly settings: Pick<DataPlaneSettings, 'pinKeys' | 'deadPin'> & Partial<DataPlaneSettings>;
  readonly gauges: Gauges;
  readonly ledger: Ledger;
  readonly onRecord: (record: ExchangeRecord) => void;
  readonly onFault: (message: string) => void;
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  readonly more?: Partial<ThreadedPorts>;
}

export interface Threads {
  readonly engine: ThreadedEngine;
  readonly board: Board;
  /** What each thread counts of requests. */
  readonly counts: readonly SharedArrayBuffer[];
  /** Resolves when what has happened is seen here: threads show themselves a few times a second. */
  settled(): Promise<void>;
}

export function startThreads({ threads, kind, options, settings, ...rest }: ThreadsOptions): Threads {
  const { gauges, ledger, onRecord, onFault, onUpstreamFault, more } = rest;
  const { listen, ...engineSettings } = options;
  const connections = ConnectionCount.create(threads);
  const board = Board.create(threads);
  const counts = Array.from({ length: threads }, () => new SharedArrayBuffer(CountCells.BYTE_LENGTH));
  const handlesOf = (thread: number) => ({
    ledger: ledger.handle,
    gauges: gauges.handle,
    connections: connections.handle,
    board: board.handle,
    counts: counts[thread]!,
  });
  const engine = new ThreadedEngine(
    {
      threads,
      kind,
      listen,
      copies: null,
      settings: {
        engine: engineSettings,
        affinity: 'none',
        protectedPaths: [],
        markers: null,
        scope: 'session',
        hasAccessLog: true,
        inner: null,
        ...settings,
      },
      board,
      connections,
      handlesOf,
    },
    {
      wallMs: Date.now,
      writeLines: (bytes, left) => {
        for (const line of bytes.toString().trimEnd().split('\n')) onRecord(recordOf(JSON.parse(line)));
        left();
      },
      onWarning: (_fields, message) => onFault(message),
      onUpstreamFault,
      onAsset: () => {},
      onSkewed: () => {},
      zeroThread: (thread) => {
        gauges.zeroThread(thread);
        ledger.zeroThread(thread, Date.now());
      },
      onDied: () => {},
      onReplaced: () => {},
      // Much is looked at here that only beats show.
      beatMs: 20,
      ...more,
    },
  );
  const settled = async () => {
    if (engine.threads.serving === 0) return;
    const before = counts.map((_, thread) => board.beats(thread));
    await waitFor(() => before.every((beats, thread) => board.beats(thread) > beats + 1), {
      what: 'two beats of every thread',
    });
    await engine.gatherLines();
  };
  return { engine, board, counts, settled };
}

function recordOf(line: Readonly<Record<string, never>>): ExchangeRecord {
  const { time, error, stream, connectMs, firstByteMs, totalMs, gatewayMs, ...same } = line;
  return {
    ...(same as unknown as ExchangeRecord),
    startedAt: time!,
    failure: error!,
    isStream: stream!,
    connectMs: connectMs ?? -1,
    firstByteMs: firstByteMs ?? -1,
    totalMs: totalMs ?? -1,
    gatewayMs: gatewayMs ?? -1,
  };
}
