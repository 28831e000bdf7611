// Durations as operators write them: a whole number and one unit, `500ms 30s 20m 12h`. Used by config, admin API, CLI.
// Rules: no sign, fraction, space or bare number; formatting is exact, so parsing what was formatted gives the same.

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const DURATION = /^(\d{1,15})(ms|s|m|h)$/;

/** Milliseconds, or null for what is not a duration or is beyond exact integers. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  return Number.isSafeInteger(ms) ? ms : null;
}

/** The largest unit that says it exactly: 90000 is `90s`, 0 is `0s`. Takes whole, non-negative milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const [unit, size] of Object.entries(UNIT_MS)) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** The two largest units, rounded down: `45s`, `21m`, `11h 39m`, `3d 4h`. */
export function tellSpan(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 24) return m % 60 === 0 ? `${h}h` : `${h}h ${m % 60}m`;
  return h % 24 === 0 ? `${h / 24}d` : `${Math.floor(h / 24)}d ${h % 24}h`;
}
