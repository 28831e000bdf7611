// What the samples say: spreads, ratios against a peer of the same round, and which targets were met.

import type { Metric, Sample } from './bench.ts';
import { type Spread, spread } from './stats.ts';
import { TARGETS, type Target } from './targets.ts';

/** Whose ratios are reported. */
export const SUBJECT = 'lockstep';

export interface Verdict {
  readonly target: Target;
  readonly case: string;
  readonly reached: Spread;
  readonly isMet: boolean;
}

export function casesOf(samples: readonly Sample[], work: string): readonly string[] {
  return [...new Set(samples.filter((one) => one.work === work).map((one) => one.case))];
}

export function valuesOf(
  samples: readonly Sample[],
  about: Pick<Sample, 'work' | 'case' | 'peer' | 'metric'>,
): Spread {
  return spread(matching(samples, about).map(({ value }) => value));
}

/** Of each round that has both. */
export function ratioOf(
  samples: readonly Sample[],
  about: Pick<Sample, 'work' | 'case' | 'metric'>,
  against: string,
): Spread {
  const others = new Map(
    matching(samples, { ...about, peer: against }).map(({ round, value }) => [round, value]),
  );
  const ratios = matching(samples, { ...about, peer: SUBJECT }).map(
    ({ round, value }) => value / (others.get(round) ?? Number.NaN),
  );
  return spread(ratios.filter(Number.isFinite));
}

/** Only of what was measured. */
export function verdicts(samples: readonly Sample[]): readonly Verdict[] {
  return TARGETS.flatMap((target) =>
    casesOf(samples, target.work)
      .filter((name) => name.startsWith(target.cases ?? ''))
      .map((name) => ({ target, case: name, reached: reach(samples, target, name) }))
      .filter(({ reached }) => reached.count > 0)
      .map((one) => ({ ...one, isMet: one.reached.median <= target.atMost })),
  );
}

function reach(samples: readonly Sample[], { work, metric, against }: Target, name: string): Spread {
  const about = { work, case: name, metric };
  return against === null ? valuesOf(samples, { ...about, peer: SUBJECT }) : ratioOf(samples, about, against);
}

export function metricsOf(samples: readonly Sample[], work: string, name: string): readonly Metric[] {
  const here = samples.filter((one) => one.work === work && one.case === name);
  return [...new Set(here.map(({ metric }) => metric))];
}

function matching(
  samples: readonly Sample[],
  { work, case: name, peer, metric }: Pick<Sample, 'work' | 'case' | 'peer' | 'metric'>,
): readonly Sample[] {
  return samples.filter(
    (one) => one.work === work && one.case === name && one.peer === peer && one.metric === metric,
  );
}
