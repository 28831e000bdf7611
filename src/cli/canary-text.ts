// A canary by steps in words, for the status: where it is, when it goes on, and what it is judged by. Pure.

import { type CanaryFigures, errorShare } from '../core/canary.ts';
import type { CanaryStatus, VersionStatus } from '../core/status.ts';
import type { Now } from './report.ts';
import { count, tellClock, tellSpan, wrap } from './text.ts';

/** No lines for what is no canary by steps. */
export function tellCanary({ id, weight, canary }: VersionStatus, active: string | null, now: Now): string[] {
  if (canary === null) return [];
  const { step, steps, halted } = canary;
  const place = `${id} is at step ${step} of ${steps.length} (${steps.join(', ')}), ${weight}% of new sessions`;
  const end =
    halted === null
      ? `${tellNext(canary, now)}. ${tellAnalysis(id, active, canary)}`
      : `halted at ${tellClock(Date.parse(halted.at), now.nowMs, now.timeZone)}. ${tellAnalysis(id, active, canary)}`;
  return wrap(`${place}; ${end}`.trimEnd(), '  ', now.columns);
}

/** The same in one short line, where it is known whose canary it is. */
export function tellCanaryStep(
  { id, weight, canary }: VersionStatus,
  active: string | null,
  now: Now,
): string {
  if (canary === null) return '';
  const place = `step ${canary.step} of ${canary.steps.length}, ${weight}% of new sessions`;
  return `${place}; ${tellNext(canary, now)}. ${tellAnalysis(id, active, canary)}`.trimEnd();
}

function tellNext({ paused, nextAt, analysis, bounds }: CanaryStatus, { nowMs, timeZone }: Now): string {
  if (paused) return 'paused';
  if (nextAt === null) return 'no step follows';
  const atMs = Date.parse(nextAt);
  if (atMs > nowMs) return `next at ${tellClock(atMs, nowMs, timeZone)} (in ${tellSpan(atMs - nowMs)})`;
  const isWaiting = bounds !== null && analysis?.verdict !== 'good';
  return isWaiting
    ? `next when both versions had ${count(bounds.min, 'request')} of new sessions`
    : 'the next one is due';
}

function tellAnalysis(id: string, active: string | null, { analysis, bounds }: CanaryStatus): string {
  if (bounds === null) return 'It is not judged.';
  if (analysis === null) return '';
  const verdict = { 'too-few': 'Too few to judge', good: 'Good', worse: 'Worse' }[analysis.verdict];
  const both = `${id} ${tellFigures(analysis.canary)}; ${active ?? 'the active one'} ${tellFigures(analysis.active)}`;
  return `${verdict}: ${both}.`;
}

function tellFigures(figures: CanaryFigures): string {
  const failed = `${Number((errorShare(figures) * 100).toFixed(1))}% failed`;
  const p95 = figures.p95Ms === null ? '' : `, p95 ${figures.p95Ms} ms`;
  return `${count(figures.requests, 'request')}${figures.requests === 0 ? '' : `, ${failed}${p95}`}`;
}
