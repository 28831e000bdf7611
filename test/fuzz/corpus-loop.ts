// A mutation loop over test/corpus: cases are changed again and again, and those that make src/wire run code that none
// before made run are kept and changed further (precise coverage of V8, looked at once a batch: it costs milliseconds).
// Each case is bounded in time; one that throws, hangs, or on which readers disagree ends the loop.

import { Session } from 'node:inspector';
import { createContext, Script } from 'node:vm';
import fc from 'fast-check';
import { ownRequestCases, ownResponseCases, requestCases, responseCases } from '../kit/corpus.ts';
import { judgeAnswer, judgeRequests, type Verdict } from './agreement.ts';
import { apply, MUTATION, PIECES } from './mutations.ts';

interface Seed {
  readonly text: string;
  /** Of the request that is answered so; null: it is a request itself. */
  readonly method: string | null;
}

export interface LoopOptions {
  readonly runs: number;
  readonly seed: number;
  /** Keep what reaches new code. Off, the corpus itself is all that is changed. */
  readonly isGuided: boolean;
  onProgress?(done: number, kept: number): void;
}

export interface LoopResult {
  readonly kept: number;
  /** Ours accepted at least one message. */
  readonly accepted: number;
}

const BATCH = 500;
/** New code is found early or hardly ever; counting blocks makes everything ten times as slow. */
const GUIDED_RUNS = 20_000;
/** A case takes some microseconds; a long head octet by octet, with blocks counted on a busy machine, a second. */
const CASE_LIMIT_MS = 15_000;
/** Mutants may grow by repetition: beyond that every limit has been passed. */
const MAX_LENGTH = 40_000;

const CHANGES = fc.tuple(fc.nat(), fc.array(MUTATION, { minLength: 1, maxLength: 5 }), PIECES);

/** Throws at the first case that is not as it should be, with its octets. */
export function mutateCorpus({ runs, seed, isGuided, onProgress }: LoopOptions): LoopResult {
  const pool = corpus();
  let coverage = isGuided ? startCoverage() : null;
  let [kept, accepted] = [0, 0];
  try {
    for (let done = 0; done < runs; done += BATCH) {
      const batch = mutantsOf(pool, Math.min(BATCH, runs - done), seed + done);
      accepted += bounded(() => batch.filter((mutant) => judge(mutant).accepted > 0).length, batch);
      if (coverage?.hasGrown() === true) {
        for (const mutant of batch) {
          judge(mutant);
          if (!coverage.hasGrownSinceBatch()) continue;
          pool.push(mutant);
          kept++;
        }
      }
      if (done + BATCH >= GUIDED_RUNS) {
        coverage?.stop();
        coverage = null;
      }
      onProgress?.(done + batch.length, kept);
    }
  } finally {
    coverage?.stop();
  }
  return { kept, accepted };
}

/** The corpus as it is, unchanged: what the loop begins with. */
export function corpus(): Seed[] {
  return [
    ...[...requestCases(), ...ownRequestCases()].map(({ bytes }) => ({
      text: bytes.toString('latin1'),
      method: null,
    })),
    ...[...responseCases(), ...ownResponseCases()].map(({ bytes, method }) => ({
      text: bytes.toString('latin1'),
      method,
    })),
  ];
}

interface Mutant extends Seed {
  readonly pieces: readonly number[];
}

function mutantsOf(pool: readonly Seed[], count: number, seed: number): readonly Mutant[] {
  return fc.sample(CHANGES, { numRuns: count, seed }).map(([pick, mutations, pieces]) => {
    const { text, method } = pool[pick % pool.length]!;
    return { text: mutations.reduce(apply, text).slice(0, MAX_LENGTH), method, pieces };
  });
}

function judge({ text, method, pieces }: Mutant): Verdict {
  const verdict = method === null ? judgeRequests(text, pieces) : judgeAnswer(text, method, pieces);
  if (verdict.fault !== null) throw new Error(`${verdict.fault}\n${described({ text, method, pieces })}`);
  return verdict;
}

/** Stops code that does not end, then finds the case at which it did not. */
function bounded<T>(run: () => T, batch: readonly Mutant[]): T {
  try {
    return interrupted(run, CASE_LIMIT_MS * 4);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    for (const mutant of batch) {
      try {
        interrupted(() => judge(mutant), CASE_LIMIT_MS);
      } catch (cause) {
        throw new Error(`does not end: ${described(mutant)}`, { cause });
      }
    }
    throw error;
  }
}

/** The timeout of `vm` ends whatever runs in the thread, its own code or not. */
function interrupted<T>(run: () => T, timeout: number): T {
  return new Script('run()').runInContext(createContext({ run }), { timeout }) as T;
}

function described(mutant: Mutant): string {
  return JSON.stringify({ ...mutant, text: mutant.text.slice(0, 20_000) });
}

interface Coverage {
  /** Since the last time that this was asked. */
  hasGrown(): boolean;
  /** The same, for one case of a batch that was run again. */
  hasGrownSinceBatch(): boolean;
  stop(): void;
}

interface CoverageReport {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }[];
    }[];
  }[];
}

/** Which blocks of src/wire and src/engine have run. */
function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const seenInBatches = new Set<string>();
  const seenAlone = new Set<string>();
  const grows = (seen: Set<string>): boolean => {
    const before = seen.size;
    session.post('Profiler.takePreciseCoverage', (_error, report) => {
      for (const block of blocksOf(report as unknown as CoverageReport)) seen.add(block);
    });
    return seen.size > before;
  };
  return {
    hasGrown: () => grows(seenInBatches),
    hasGrownSinceBatch: () => grows(seenAlone),
    stop: () => {
      session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

function* blocksOf({ result }: CoverageReport): Generator<string> {
  for (const { url, functions } of result) {
    if (!url.includes('/src/wire/') && !url.includes('/src/engine/')) continue;
    for (const { startOffset, endOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
      if (count > 0) yield `${url} ${startOffset} ${endOffset}`;
    }
  }
}
