// Shares as operators write them: `1%`, `0.5%`, 0..100. Used by config, admin API and CLI. In between a share is 0..1.

const PERCENT = /^(\d{1,3}(?:\.\d{1,4})?)%$/;

/** 0..1, or null for what is not a share. */
export function parsePercent(text: string): number | null {
  const match = PERCENT.exec(text);
  if (match === null) return null;
  const percent = Number(match[1]);
  return percent <= 100 ? percent / 100 : null;
}

/** At most four digits after the point; what was parsed is formatted as it was. */
export function formatPercent(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`;
}
