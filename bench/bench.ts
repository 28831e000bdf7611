// What every work is handed, and what it hands back: measured values, one by one, told apart by work, case, peer and round.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Loader } from './load/load.ts';
import type { Peer } from './peers/peer.ts';

/** CPU µs a request · requests a second · most memory resident · and what single works measure besides. */
export type Metric =
  | 'cpuUs'
  | 'perSecond'
  | 'peakMiB'
  | 'p50Us'
  | 'p99Us'
  | 'p999Us'
  | 'bytes'
  | 'ms'
  | 'ratio';

export interface Sample {
  readonly work: string;
  readonly case: string;
  readonly peer: string;
  readonly metric: Metric;
  readonly round: number;
  readonly value: number;
}

export interface Bench {
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly loader: Loader;
  /** Also what takes minutes: 10 million sessions. */
  readonly isLong: boolean;
  /** Of the cases of works that have many; by `--case`. */
  isAsked(name: string): boolean;
  /** A new and empty folder. */
  folder(name: string): Promise<string>;
  record(sample: Sample): void;
  /** A sentence for the report: what was left out, and why. */
  note(text: string): void;
}

export interface Work {
  /** As in `--only`, besides its number. */
  readonly name: string;
  readonly number: number;
  readonly title: string;
  run(bench: Bench): Promise<void>;
}

export function folders(root: string): Bench['folder'] {
  let count = 0;
  return async (name) => {
    const path = join(root, `${++count}-${name}`);
    await mkdir(path, { recursive: true });
    return path;
  };
}

/** Each of them in turns, a round at a time: A B C, B C A, … so that a change of the machine's mood meets all alike. */
export async function interleave<T>(
  rounds: number,
  those: readonly T[],
  step: (one: T, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const turn = round % Math.max(1, those.length);
    for (const one of [...those.slice(turn), ...those.slice(0, turn)]) await step(one, round);
  }
}
