// Whether a figure stays flat: a straight line through its samples by least squares, and how far that line rises over the
// time that was sampled, judged against what it may.

export interface Sample {
  /** Minutes since the first one. */
  readonly atMin: number;
  readonly value: number;
}

export interface Line {
  readonly perMinute: number;
  /** The line's rise from the first sample to the last. */
  readonly rise: number;
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export interface Allowance {
  /** In the figure's own unit. */
  readonly fixed: number;
  /** Of the mean. */
  readonly share: number;
}

/** Through at least two samples. */
export function lineThrough(samples: readonly Sample[]): Line {
  if (samples.length < 2) throw new Error('a line needs two samples');
  const mean = meanOf(samples.map(({ value }) => value));
  const meanAt = meanOf(samples.map(({ atMin }) => atMin));
  let together = 0;
  let alone = 0;
  for (const { atMin, value } of samples) {
    together += (atMin - meanAt) * (value - mean);
    alone += (atMin - meanAt) ** 2;
  }
  const perMinute = alone === 0 ? 0 : together / alone;
  const values = samples.map(({ value }) => value);
  return {
    perMinute,
    rise: perMinute * (samples.at(-1)!.atMin - samples[0]!.atMin),
    mean,
    least: Math.min(...values),
    most: Math.max(...values),
  };
}

/** What the line may rise by. Falling is always allowed: what was high at the beginning comes down. */
export function allowedRise(mean: number, { fixed, share }: Allowance): number {
  return fixed + share * mean;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
