// Middle and spread of a few measurements on a noisy machine: never a mean, which one disturbed round can move anywhere.

export interface Spread {
  readonly median: number;
  /** Of all rounds. */
  readonly least: number;
  readonly most: number;
  readonly count: number;
}

/** NaN throughout when there is nothing to measure. */
export function spread(values: readonly number[]): Spread {
  return {
    median: quantile(values, 0.5),
    least: quantile(values, 0),
    most: quantile(values, 1),
    count: values.length,
  };
}

/** Linear between the two neighbours. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}
