// Live sessions per version as they were while somebody watched, as sparklines: one sample for each look. Pure.

import type { Status, VersionStatus } from '../core/status.ts';
import type { Now } from './report.ts';
import { COLUMNS, tellClock, tellSpan } from './text.ts';

/** An hour of looks every two seconds is more than any screen is wide. */
const MOST_SAMPLES = 240;
const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;
const WIDEST_ID = 20;
const COUNT_WIDTH = 9;
const NARROWEST = 8;

export class SessionHistory {
  readonly #samples = new Map<string, number[]>();
  #firstMs = 0;
  #looks = 0;

  add(status: Status, nowMs: number): void {
    if (this.#looks++ === 0) this.#firstMs = nowMs;
    const ids = new Set(status.versions.map(({ id }) => id));
    for (const id of this.#samples.keys()) if (!ids.has(id)) this.#samples.delete(id);
    for (const { id, sessions } of status.versions) {
      const samples = this.#samples.get(id) ?? [];
      samples.push(sessions.live);
      if (samples.length > MOST_SAMPLES) samples.shift();
      this.#samples.set(id, samples);
    }
  }

  /** A line for each version that has, or had, sessions. */
  lines({ versions }: Status, now: Now): string[] {
    const shown = versions.filter(({ id }) => this.#samples.get(id)?.some((live) => live > 0));
    if (shown.length === 0) return [];
    const idWidth = Math.min(WIDEST_ID, Math.max(...shown.map(({ id }) => id.length)));
    const ends = new Map(shown.map((version) => [version.id, tellEnd(version, now)]));
    const endWidth = Math.max(...[...ends.values()].map((end) => end.length));
    const room = (now.columns ?? COLUMNS) - idWidth - 2 - COUNT_WIDTH - endWidth;
    const width = Math.max(NARROWEST, Math.min(MOST_SAMPLES, room));
    const head = `live sessions, the last ${tellSpan(Math.max(1_000, now.nowMs - this.#firstMs))}`;
    const rows = shown.map((version) => {
      const bars = sparkline(this.#samples.get(version.id)!, width).padEnd(width);
      const id = version.id.length > idWidth ? `${version.id.slice(0, idWidth - 1)}…` : version.id;
      return `${id.padEnd(idWidth)}  ${bars}${String(version.sessions.live).padStart(COUNT_WIDTH)}${ends.get(version.id)}`;
    });
    return [head, ...rows];
  }
}

/** The last `width` values, between none and the highest of them. */
export function sparkline(values: readonly number[], width: number): string {
  const last = values.slice(-width);
  const most = Math.max(...last, 1);
  return last
    .map((value) => LEVELS[value <= 0 ? 0 : Math.max(1, Math.ceil((value / most) * (LEVELS.length - 1)))])
    .join('');
}

function tellEnd({ state, drain }: VersionStatus, { nowMs, timeZone }: Now): string {
  if (state !== 'draining' || drain === null) return '';
  if (drain.emptyAt === null) return '  no estimate yet';
  const atMs = Date.parse(drain.emptyAt);
  const left = atMs > nowMs ? `in ${tellSpan(atMs - nowMs)}` : 'now';
  return `  empty about ${tellClock(atMs, nowMs, timeZone)} (${left})`;
}
