// A metric whose numbers are kept elsewhere and read when Prometheus asks. prom-client renders it; it has no metric of
// that kind itself, and its own counters cost a hash of the labels for each request.

import type { Metric, Registry } from 'prom-client';

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram's parts: name_bucket, name_sum, name_count. */
  readonly metricName?: string;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly read: () => readonly Sample[];
}

export function register(registry: Registry, family: Family): void {
  const { read, ...about } = family;
  const metric = { ...about, aggregator: 'sum', get: async () => ({ ...about, values: read() }) };
  // The type wants one of prom-client's classes; what the registry needs of them is name and get().
  registry.registerMetric(metric as unknown as Metric<string>);
}

/** Of a family without labels. */
export function one(value: number): Sample[] {
  return [{ labels: {}, value }];
}

/** Counts by upper bound, in seconds; then what is above all bounds, then the sum. */
export class Buckets {
  readonly #bounds: readonly number[];
  readonly #cells: Float64Array;

  /** How long the array of `cells` must be. */
  static cells(bounds: readonly number[]): number {
    return bounds.length + 2;
  }

  constructor(bounds: readonly number[], cells: Float64Array = new Float64Array(Buckets.cells(bounds))) {
    this.#bounds = bounds;
    this.#cells = cells;
  }

  observe(seconds: number): void {
    const bounds = this.#bounds;
    let place = 0;
    while (place < bounds.length && seconds > bounds[place]!) place++;
    this.#cells[place]!++;
    this.#cells[bounds.length + 1]! += seconds;
  }

  add(other: Buckets): void {
    for (const [place, value] of other.#cells.entries()) this.#cells[place]! += value;
  }

  clear(): void {
    this.#cells.fill(0);
  }

  /** Cumulative, as Prometheus wants them. */
  samples(name: string, labels: Sample['labels']): Sample[] {
    const samples: Sample[] = [];
    let total = 0;
    for (let place = 0; place <= this.#bounds.length; place++) {
      total += this.#cells[place]!;
      const le = this.#bounds[place] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#cells[this.#bounds.length + 1]! });
    samples.push({ metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}
