// The data plane in threads of its own: each listens on the same ports (SO_REUSEPORT, so that the kernel shares connections
// out among them; of inherited sockets each has a copy) and has an engine like any other; this one stands in the control thread and moves no request.
// Rules: what must hold everywhere is acknowledged by every thread that serves; a thread that is gone serves nobody, and
// its successor begins with what holds by then. A thread never lets go of its listeners before the end.

import type { SeenAsset } from '../core/asset-answer.ts';
import type { CanaryCount } from '../core/canary-meter.ts';
import type { ToldExplanation } from '../core/explain.ts';
import type { UpstreamFault } from '../core/fault.ts';
import type { ThreadsStatus } from '../core/status.ts';
import { EMPTY_TABLE, type RoutingTable } from '../core/table.ts';
import type { ConnectionCount } from '../engine/connection-count.ts';
import type { EngineSettings, EngineStats, ListenAddress } from '../engine/contract.ts';
import type { SkewedPath } from '../observe/skew-tally.ts';
import { BEAT_MS, type Board } from './board.ts';
import { claim } from './claim.ts';
import type { DataPlane, DataPlaneSettings, EngineKind } from './data-plane.ts';
import type { OwnListeners } from './forbidden.ts';
import { keySteps } from './key-steps.ts';
import { type Command, readClock, type SharedHandles, type ThreadSetup } from './messages.ts';
import { type Bound, LOOK_MS, Seat } from './seat.ts';
import type { SocketCopies } from './socket-copies.ts';
import { ENDED } from './thread.ts';

export interface ThreadedOptions {
  readonly threads: number;
  readonly kind: EngineKind;
  readonly listen: readonly ListenAddress[];
  /** Of the sockets that were inherited, made while threads load; null: none were. */
  readonly copies: Promise<SocketCopies> | null;
  readonly settings: DataPlaneSettings;
  readonly board: Board;
  readonly connections: ConnectionCount;
  readonly handlesOf: (thread: number) => SharedHandles;
}

export interface ThreadedPorts {
  readonly wallMs: () => number;
  /** Whole lines of the access log; `left` is called when they have, or never will. */
  readonly writeLines: (bytes: Buffer, left: () => void) => void;
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  readonly onAsset: (asset: SeenAsset) => void;
  readonly onSkewed: (paths: readonly SkewedPath[]) => void;
  readonly onWarning: (fields: object, message: string) => void;
  /** What the thread counted of what is open is to be taken away; it runs no more. */
  readonly zeroThread: (thread: number) => void;
  readonly onDied: (thread: number, why: string, successorInMs: number) => void;
  readonly onReplaced: (thread: number) => void;
  /** Default: 10 s. A long collection of garbage is no hang. */
  readonly hangMs?: number;
  /** Between two signs of life; default: 200 ms. */
  readonly beatMs?: number;
}

const HANG_MS = 10_000;

export class ThreadedEngine implements DataPlane {
  readonly #options: ThreadedOptions;
  readonly #ports: ThreadedPorts;
  readonly #seats: readonly Seat[];
  #copies: SocketCopies | null = null;
  /** As they are bound. */
  #listen: readonly ListenAddress[];
  #settings: DataPlaneSettings;
  #table: RoutingTable = EMPTY_TABLE;
  #canaries: readonly CanaryCount[] = [];
  #own: OwnListeners = { listen: [], admin: null };
  /** Tables and settings reach the threads one after the other, each when all have the one before. */
  #order: Promise<unknown> = Promise.resolve();
  #restarts = 0;
  #watch: NodeJS.Timeout | null = null;
  #shutdown: Promise<void> | null = null;

  /** Threads begin to load at once. */
  constructor(options: ThreadedOptions, ports: ThreadedPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#listen = options.listen.map((address) => ({ ...address, isShared: true }));
    this.#settings = options.settings;
    this.#seats = Array.from({ length: options.threads }, (_, number) => this.#seat(number));
    for (const seat of this.#seats) seat.load();
    this.#watch = setInterval(() => {
      for (const seat of this.#seats) seat.look();
    }, LOOK_MS).unref();
  }

  get threads(): ThreadsStatus {
    const serving = this.#seats.filter((seat) => seat.isServing).length;
    return { count: this.#seats.length, serving, restarts: this.#restarts };
  }

  /** Rejects when one of them cannot; then none is left. */
  async listen(): Promise<Bound> {
    const [first, ...others] = this.#seats;
    try {
      this.#copies = await this.#options.copies;
      for (const address of this.#listen) {
        if (address.port !== 0 && address.fd === undefined) await claim(address);
      }
      const bound = await first!.start();
      this.#listen = this.#listen.map((address, at) => ({ ...address, port: bound[at]!.port }));
      await Promise.all(others.map((seat) => seat.start()));
      return bound;
    } catch (error) {
      await this.shutdown(0);
      throw error;
    }
  }

  configure(next: DataPlaneSettings): void {
    void this.#inOrder(async () => {
      const steps = keySteps(this.#settings.pinKeys, next.pinKeys);
      for (const [at, pinKeys] of steps.entries()) {
        this.#settings = at === steps.length - 1 ? next : { ...this.#settings, pinKeys };
        await this.#askAll({ do: 'configure', settings: this.#settings });
      }
    });
  }

  reconfigure(engine: EngineSettings): void {
    this.configure({ ...this.#settings, engine });
  }

  async install(table: RoutingTable): Promise<void> {
    await this.#inOrder(async () => {
      this.#table = table;
      await this.#askAll({ do: 'install', table });
    });
  }

  closeUpstreams(version: string, address: string | null): void {
    this.#tellAll({ do: 'close-upstreams', version, address });
  }

  abortVersion(version: string): void {
    this.#tellAll({ do: 'abort-version', version });
  }

  closeStreams(
    version: string,
    which: 'unpinned' | 'all',
    jitterMs: number,
    address: string | null = null,
  ): void {
    this.#tellAll({ do: 'close-streams', version, which, jitterMs, address });
  }

  availabilityChanged(): void {
    this.#tellAll({ do: 'availability-changed' });
  }

  countCanaries(counts: readonly CanaryCount[]): void {
    this.#canaries = counts;
    this.#tellAll({ do: 'count-canaries', counts });
  }

  setOwnListeners(own: OwnListeners): void {
    this.#own = own;
    this.#tellAll({ do: 'set-own-listeners', own });
  }

  async explainPast(request: string): Promise<ToldExplanation | null> {
    const answers = await this.#askAll({ do: 'explain-past', request });
    const found = answers.find((answer) => answer !== ENDED && answer !== null);
    return (found as ToldExplanation | undefined) ?? null;
  }

  async gatherLines(): Promise<void> {
    await this.#askAll({ do: 'flush-lines' });
  }

  /** Of all threads; what is open is as new as their last beat. */
  stats(): EngineStats {
    const { board, connections } = this.#options;
    const { deniedRetries } = board.counted;
    const { open: clientConnections, refused: refusedConnections } = connections;
    return { ...board.shown, clientConnections, refusedConnections, deniedRetries };
  }

  shutdown(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#closeAll(graceMs);
    return this.#shutdown;
  }

  async #closeAll(graceMs: number): Promise<void> {
    if (this.#watch !== null) clearInterval(this.#watch);
    await Promise.all(this.#seats.map((seat) => seat.close(graceMs)));
  }

  #seat(number: number): Seat {
    const { board } = this.#options;
    const { writeLines, onUpstreamFault, onAsset, onSkewed, onWarning, zeroThread, ...ports } = this.#ports;
    return new Seat(number, {
      setup: () => this.#setup(number),
      beats: () => board.beats(number),
      onLines: writeLines,
      onUpstreamFault,
      onAsset,
      onSkewed,
      onWarning,
      onGone: () => {
        board.zeroThread(number);
        this.#options.connections.zeroThread(number);
        zeroThread(number);
      },
      onDied: (why, successorInMs) => {
        this.#restarts++;
        ports.onDied(number, why, successorInMs);
      },
      onReplaced: () => ports.onReplaced(number),
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      hangMs: ports.hangMs ?? HANG_MS,
    });
  }

  #setup(thread: number): ThreadSetup {
    const { kind, handlesOf } = this.#options;
    return {
      thread,
      kind,
      listen: this.#copies?.take(this.#listen) ?? this.#listen,
      settings: this.#settings,
      shared: handlesOf(thread),
      clock: readClock(this.#ports.wallMs),
      table: this.#table,
      canaries: this.#canaries,
      own: this.#own,
      beatMs: this.#ports.beatMs ?? BEAT_MS,
    };
  }

  #askAll(command: Command): Promise<readonly unknown[]> {
    return Promise.all(this.#seats.map((seat) => seat.ask(command)));
  }

  #tellAll(command: Command): void {
    for (const seat of this.#seats) seat.tell(command);
  }

  /** A step that failed does not hold up the next one. */
  #inOrder(step: () => Promise<void>): Promise<void> {
    const done = this.#order.then(step);
    this.#order = done.catch(() => {});
    return done;
  }
}
