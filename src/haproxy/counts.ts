// What the driver counts since its start, for /metrics.

export interface HaproxyCounts {
  drifts: number;
  steps: number;
  failedSteps: number;
  restarts: number;
}

export function noCounts(): HaproxyCounts {
  return { drifts: 0, steps: 0, failedSteps: 0, restarts: 0 };
}
