// The place of one data-plane thread: who sits there is watched, and replaced when it dies or hangs. Its successor is given
// what holds by then, and listens last of all: it never serves by anything older than the others.
// The first start may fail, and then nobody is replaced. After that each death is followed by a successor: at once, and
// after ever longer waits when they die again and again.

import type { Command, ThreadSetup } from './messages.ts';
import { ENDED, Thread, type ThreadPorts } from './thread.ts';

export type Bound = readonly { readonly host: string; readonly port: number }[];

export interface SeatPorts
  extends Pick<ThreadPorts, 'onLines' | 'onUpstreamFault' | 'onAsset' | 'onSkewed' | 'onWarning'> {
  /** As things are now. */
  readonly setup: () => ThreadSetup;
  /** Another number than at the last look: its event loop turns. */
  readonly beats: () => number;
  /** What it counted is to be taken away; it runs no more. */
  readonly onGone: () => void;
  /** It ended without being told to. */
  readonly onDied: (why: string, successorInMs: number) => void;
  readonly onReplaced: () => void;
  /** Runs once after `ms`; the answer calls it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Without a beat for that long it hangs. */
  readonly hangMs: number;
}

/** Between two looks: a hang is a number of looks without a beat, so that a process that was stopped is no hang. */
export const LOOK_MS = 500;
/** A busy machine may take its time to load what is needed. */
const START_MS = 60_000;
/** Before a first successor, a second…; one that has lived for a while begins anew. */
const WAITS_MS = [0, 1_000, 2_000, 5_000, 10_000, 30_000] as const;
const WELL_MS = 60_000;
/** A thread that is to end gets this much longer than what it was given. */
const SLACK_MS = 2_000;

type State = 'loading' | 'starting' | 'serving' | 'empty' | 'closed';

export class Seat {
  readonly #number: number;
  readonly #ports: SeatPorts;
  #thread: Thread | null = null;
  #state: State = 'empty';
  #isReplacing = false;
  #lastWhy = '';
  #beats = 0;
  #looks = 0;
  /** In a row. */
  #deaths = 0;
  #servesSinceMs = 0;
  #cancel: () => void = () => {};

  constructor(number: number, ports: SeatPorts) {
    this.#number = number;
    this.#ports = ports;
  }

  get isServing(): boolean {
    return this.#state === 'serving';
  }

  /** Takes a thread in, which loads what it needs meanwhile. */
  load(): void {
    const { onLines, onUpstreamFault, onAsset, onSkewed, onWarning } = this.#ports;
    this.#state = 'loading';
    this.#looks = 0;
    const onEnded = (why: string) => this.#ended(why);
    this.#thread = new Thread(this.#number, {
      onLines,
      onUpstreamFault,
      onAsset,
      onSkewed,
      onWarning,
      onEnded,
    });
  }

  /** Resolves when it listens. Rejects when it cannot; then it is gone. */
  async start(): Promise<Bound> {
    const thread = this.#thread;
    await thread?.ready;
    if (thread === null || thread.hasEnded || this.#state !== 'loading') throw this.#gone('as it began');
    this.#state = 'starting';
    this.#looks = 0;
    let bound: unknown;
    try {
      bound = await thread.ask({ do: 'start', setup: this.#ports.setup() });
    } catch (error) {
      await thread.end(error instanceof Error ? error.message : String(error));
      throw error;
    }
    if (bound === ENDED || this.#state !== 'starting') throw this.#gone('before it listened');
    this.#state = 'serving';
    this.#looks = 0;
    this.#servesSinceMs = performance.now();
    this.#isReplacing = true;
    return bound as Bound;
  }

  /** Resolves with its answer, or ENDED: nobody here serves by anything else. One that loads is given all of it when it starts. */
  ask(command: Command): Promise<unknown> {
    const thread = this.#state === 'starting' || this.#state === 'serving' ? this.#thread : null;
    return thread === null ? Promise.resolve(ENDED) : thread.ask(command);
  }

  tell(command: Command): void {
    if (this.#state === 'starting' || this.#state === 'serving') this.#thread?.tell(command);
  }

  /** To be called every LOOK_MS. */
  look(): void {
    const thread = this.#thread;
    if (thread === null || thread.hasEnded || this.#state === 'closed') return;
    const beats = this.#ports.beats();
    const mayTakeMs = this.#state === 'serving' ? this.#ports.hangMs : START_MS;
    this.#looks = beats === this.#beats ? this.#looks + 1 : 0;
    this.#beats = beats;
    if (this.#looks * LOOK_MS < mayTakeMs) return;
    this.#looks = 0;
    void thread.end(`it hung: no sign of life for ${mayTakeMs} ms`);
  }

  /** Resolves when nobody is here any more. */
  async close(graceMs: number): Promise<void> {
    const thread = this.#thread;
    const hasStarted = this.#state === 'starting' || this.#state === 'serving';
    this.#state = 'closed';
    this.#cancel();
    if (thread === null) return;
    if (hasStarted) {
      const late = Promise.withResolvers<void>();
      const cancel = this.#ports.after(graceMs + SLACK_MS, late.resolve);
      await Promise.race([thread.ask({ do: 'shut-down', graceMs }).catch(() => {}), late.promise]);
      cancel();
    }
    await thread.end('it was told to');
  }

  #gone(when: string): Error {
    return new Error(`data-plane thread ${this.#number} ended ${when}: ${this.#lastWhy}`);
  }

  #ended(why: string): void {
    this.#lastWhy = why;
    this.#ports.onGone();
    this.#thread = null;
    if (this.#state === 'closed') return;
    const hasLivedWell = this.#state === 'serving' && performance.now() - this.#servesSinceMs > WELL_MS;
    this.#state = 'empty';
    if (!this.#isReplacing) return;
    if (hasLivedWell) this.#deaths = 0;
    const waitMs = WAITS_MS[Math.min(this.#deaths, WAITS_MS.length - 1)]!;
    this.#deaths++;
    this.#ports.onDied(why, waitMs);
    this.#cancel = this.#ports.after(waitMs, () => this.#replace());
  }

  #replace(): void {
    this.load();
    this.start().then(
      () => this.#ports.onReplaced(),
      // It is gone, which was heard of, and brings the next one.
      () => {},
    );
  }
}
