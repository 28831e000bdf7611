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

/** Counts by upper bound, in seconds; the last place counts what is above all bounds. */
export class Buckets {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    let place = 0;
    while (place < this.#bounds.length && seconds > this.#bounds[place]!) place++;
    this.#counts[place]!++;
    this.#sum += seconds;
  }

  /** Cumulative, as Prometheus wants them. */
  samples(name: string, labels: Sample['labels']): Sample[] {
    const samples: Sample[] = [];
    let total = 0;
    for (const [place, count] of this.#counts.entries()) {
      total += count;
      const le = this.#bounds[place] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}
