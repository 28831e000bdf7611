// When upstreams are looked at: each in its own time, never two checks of one at once, and not all at the same moment.

import type { HealthPolicy } from '../core/policy.ts';
import type { Clock } from './clock.ts';

/** At once, so that a thousand upstreams do not open a thousand sockets in one moment. */
const CONCURRENCY = 32;
/** Checks of many upstreams drift apart instead of coming in one burst: the interval, give or take a tenth. */
const JITTER = 0.1;
/** Of the interval: between two checks of one that is to be looked at more often; and for how many intervals. */
const FAST = 0.25;
const FAST_INTERVALS = 5;

export interface TurnPorts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** In force now. */
  readonly policy: () => Pick<HealthPolicy, 'intervalMs'>;
}

/** Who is looked at. */
export interface Patient {
  /** Never throws. */
  check(): Promise<void>;
  /** At most, between two checks; null: the interval is good enough. Ms. */
  longestPauseMs(): number | null;
}

export class CheckTurns {
  readonly #ports: TurnPorts;
  readonly #due: Turn[] = [];
  #running = 0;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
  }

  /** It begins when it is told to. */
  open(patient: Patient): Turn {
    const turn = new Turn(this.#ports, patient, () => this.#enqueue(turn));
    return turn;
  }

  #enqueue(turn: Turn): void {
    this.#due.push(turn);
    this.#startDue();
  }

  #startDue(): void {
    while (this.#running < CONCURRENCY) {
      const next = this.#due.shift();
      if (next === undefined) return;
      if (!next.isOver) void this.#take(next);
    }
  }

  async #take(turn: Turn): Promise<void> {
    this.#running++;
    await turn.patient.check();
    this.#running--;
    if (!turn.isOver) turn.waitForNext();
    this.#startDue();
  }
}

export class Turn {
  readonly patient: Patient;
  readonly #ports: TurnPorts;
  readonly #enqueue: () => void;
  /** Until then it is looked at more often. Ms since the Unix epoch, as the other two. */
  #fastUntilMs = 0;
  /** When its last check ended, and when its next one begins. */
  #checkedAtMs = 0;
  #nextAtMs = 0;
  #isWaiting = false;
  #isOver = false;
  #cancel = (): void => {};

  constructor(ports: TurnPorts, patient: Patient, enqueue: () => void) {
    this.#ports = ports;
    this.patient = patient;
    this.#enqueue = enqueue;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The first check comes as soon as can be. */
  begin(): void {
    this.#enqueue();
  }

  /** A check said something. */
  checked(): void {
    this.#checkedAtMs = this.#ports.clock.wallMs();
  }

  /** The pause that it is in begins anew: somewhere within a whole one of the interval that is in force. */
  restart(): void {
    if (this.#isWaiting) this.#wait(this.#ports.policy().intervalMs * this.#ports.random());
  }

  /** Unless it is being looked at. */
  now(): void {
    if (this.#isWaiting) this.#wait(0);
  }

  /** Its next check comes as soon as a fast one may, and so do those after it, for a while. */
  hasten(): void {
    const nowMs = this.#ports.clock.wallMs();
    const { intervalMs } = this.#ports.policy();
    this.#fastUntilMs = nowMs + FAST_INTERVALS * intervalMs;
    const atMs = Math.max(nowMs, this.#checkedAtMs + FAST * intervalMs);
    if (this.#isWaiting && atMs < this.#nextAtMs) this.#wait(atMs - nowMs);
  }

  waitForNext(): void {
    this.#wait(this.#pauseMs() * (1 - JITTER + 2 * JITTER * this.#ports.random()));
  }

  end(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #pauseMs(): number {
    const { intervalMs } = this.#ports.policy();
    const longestMs = this.patient.longestPauseMs();
    if (longestMs !== null) return Math.min(intervalMs, longestMs);
    return this.#ports.clock.wallMs() < this.#fastUntilMs ? intervalMs * FAST : intervalMs;
  }

  #wait(delayMs: number): void {
    this.#cancel();
    this.#isWaiting = true;
    this.#nextAtMs = this.#ports.clock.wallMs() + delayMs;
    this.#cancel = this.#ports.clock.after(delayMs, () => {
      this.#isWaiting = false;
      this.#enqueue();
    });
  }
}
