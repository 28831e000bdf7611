// The differential properties, run a batch at a time so that whoever runs a million sees how far it is. A batch's seed is
// the run's plus the cases before it: the seed that is printed repeats the whole, and `seed` with one batch its failure.

import fc from 'fast-check';
import { judgeAnswer, judgeRequests, type Verdict } from './agreement.ts';
import { ANSWERS } from './answer-grammar.ts';
import { REQUESTS } from './request-grammar.ts';

export interface DifferentialOptions {
  readonly side: 'requests' | 'answers';
  readonly runs: number;
  readonly seed: number;
  onProgress?(done: number): void;
}

export interface DifferentialResult {
  /** Cases of which ours accepted at least one message. */
  readonly accepted: number;
  /** How often each class of differences.ts was needed. */
  readonly differences: ReadonlyMap<string, number>;
}

const BATCH = 5_000;

/** Throws at the first case on which the readers part, made as small as it gets. */
export function runDifferential({ side, runs, seed, onProgress }: DifferentialOptions): DifferentialResult {
  const differences = new Map<string, number>();
  let accepted = 0;
  const count = (verdict: Verdict): void => {
    if (verdict.fault !== null) throw new Error(verdict.fault);
    if (verdict.accepted > 0) accepted++;
    const { difference } = verdict;
    if (difference !== null) differences.set(difference, (differences.get(difference) ?? 0) + 1);
  };
  const requests = fc.property(REQUESTS, ({ text, pieces }) => count(judgeRequests(text, pieces)));
  const answers = fc.property(ANSWERS, ({ text, method, pieces }) =>
    count(judgeAnswer(text, method, pieces)),
  );
  for (let done = 0; done < runs; done += BATCH) {
    const parameters = { numRuns: Math.min(BATCH, runs - done), seed: seed + done };
    if (side === 'requests') fc.assert(requests, parameters);
    else fc.assert(answers, parameters);
    onProgress?.(done + parameters.numRuns);
  }
  return { accepted, differences };
}
