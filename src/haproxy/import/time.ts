// HAProxy's times and sizes (configuration.txt, sections 2.5 and 2.6): a whole number and a unit, milliseconds and
// bytes without one.

const UNIT_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  '': 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds, rounded up; null for what is no time. `unit` counts where the text has none. */
export function parseTime(text: string, unit: 's' | 'ms' = 'ms'): number | null {
  const match = /^(\d{1,12})(us|ms|s|m|h|d)?$/.exec(text);
  if (match === null) return null;
  return Math.ceil(Number(match[1]) * UNIT_MS[match[2] ?? unit]!);
}

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_024 ** 2, g: 1_024 ** 3 };

/** Bytes; null for what is no size. */
export function parseBytes(text: string): number | null {
  const match = /^(\d{1,12})([kmg])?$/i.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_BYTES[(match[2] ?? '').toLowerCase()]!;
}

/** Null for what is no whole number. */
export function parseCount(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
