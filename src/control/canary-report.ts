// A canary by steps as the outside reads it: in the status, in events and in the audit log.

import { type Analysis, type CanaryFigures, errorShare, nextStepAt } from '../core/canary.ts';
import type { VersionRecord } from '../core/deployment.ts';
import { formatDuration } from '../core/duration.ts';
import { formatPercent } from '../core/percent.ts';
import type { CanaryStatus } from '../core/status.ts';

/** Null for what is no canary by steps. `analysis`: of the step in force. */
export function describeCanary({ canary }: VersionRecord, analysis: Analysis | null): CanaryStatus | null {
  if (canary === undefined) return null;
  const { steps, step, everyMs, pausedAt, halt, analysis: bounds } = canary;
  const nextAt = nextStepAt(canary);
  return {
    steps,
    step: step + 1,
    every: formatDuration(everyMs),
    nextAt: nextAt === null ? null : isoTime(nextAt),
    paused: pausedAt !== null,
    halted: halt === null ? null : { at: isoTime(halt.at), why: halt.why },
    bounds: bounds === null ? null : { ...bounds, errors: formatPercent(bounds.errors) },
    analysis: analysis === null ? null : withoutWhy(analysis),
  };
}

/** ` step 2 of 4`, with what became of it; '' for a weight given by hand. */
export function describePlace({ canary }: VersionRecord): string {
  if (canary === undefined) return '';
  const end = canary.halt !== null ? ' halted' : canary.pausedAt !== null ? ' paused' : '';
  return ` step ${canary.step + 1} of ${canary.steps.length}${end}`;
}

export function describeFigures(figures: CanaryFigures): Readonly<Record<string, unknown>> {
  return { ...figures, errorShare: `${Number((errorShare(figures) * 100).toFixed(2))}%` };
}

function withoutWhy({ verdict, canary, active }: Analysis): CanaryStatus['analysis'] {
  return { verdict, canary, active };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
