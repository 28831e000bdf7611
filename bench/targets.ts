// What Lockstep is to reach. Ratios are of medians of rounds: Lockstep's against the peer's in the same round.
// A target holds for every case of its work, but where it names the case.

import type { Metric } from './bench.ts';

export interface Target {
  readonly work: string;
  /** Only cases whose name starts so. */
  readonly cases?: string;
  /** Null: the value itself is the target, in the metric's unit. */
  readonly against: string | null;
  readonly metric: Metric;
  readonly atMost: number;
}

export const TARGETS: readonly Target[] = [
  ...['pinned', 'new-sessions'].flatMap((work) =>
    cost(work, {
      'haproxy-full': 1.0,
      'haproxy-bare': 1.2,
      nginx: 1.1,
      caddy: 0.25,
      'http-proxy': 0.2,
    }),
  ),
  ...cost('browser-pages', {
    'haproxy-full': 1.1,
    'haproxy-bare': 1.3,
    nginx: 1.0,
    caddy: 0.35,
    'http-proxy': 0.3,
  }),
  ...cost('new-connections', { 'haproxy-full': 1.5, caddy: 0.5, 'http-proxy': 0.35 }),
  ...cost('large-bodies', { 'haproxy-full': 1.5, nginx: 0.9, caddy: 1.0, 'http-proxy': 0.8 }),
  { work: 'added-latency', cases: '5,000/s', against: 'haproxy-full', metric: 'p99Us', atMost: 1.2 },
  { work: 'scaling', against: null, metric: 'ratio', atMost: 1.05 },
  { work: 'scaling', cases: 'promote', against: null, metric: 'ms', atMost: 50 },
  { work: 'memory', cases: 'at start', against: null, metric: 'peakMiB', atMost: 90 },
  { work: 'memory', cases: 'an idle connection', against: null, metric: 'bytes', atMost: 8 * 1024 },
  { work: 'memory', cases: 'a session', against: null, metric: 'bytes', atMost: 32 },
  { work: 'changes', cases: 'start', against: null, metric: 'ms', atMost: 400 },
  { work: 'changes', cases: 'longest wait: promote', against: null, metric: 'ms', atMost: 10 },
  { work: 'changes', cases: 'longest wait: reload', against: null, metric: 'ms', atMost: 20 },
  { work: 'features', cases: 'by default', against: null, metric: 'ratio', atMost: 1.05 },
  { work: 'features', cases: 'all', against: null, metric: 'ratio', atMost: 1.1 },
];

function cost(work: string, atMost: Readonly<Record<string, number>>): readonly Target[] {
  return Object.entries(atMost).map(([against, most]) => ({ work, against, metric: 'cpuUs', atMost: most }));
}
