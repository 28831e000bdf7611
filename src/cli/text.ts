// How things are said on a screen: spans and clocks, counted nouns, wrapped lines. Pure.
// Rule: texts that came over the network pass through `printable`, so that no server can move the cursor.

export { tellSpan } from '../core/duration.ts';

/** Where it is not known how wide the screen is. */
export const COLUMNS = 80;

/** `03:12`, with the date in front when it is another day than `nowMs`. */
export function tellClock(atMs: number, nowMs: number, timeZone: string | undefined): string {
  const day = (ms: number) => new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(ms);
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'short' }).format(atMs);
  return day(atMs) === day(nowMs) ? clock : `${day(atMs)} ${clock}`;
}

/** `03:12:07` */
export function tellSeconds(atMs: number, timeZone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(atMs);
}

/** `1 session`, `12 sessions`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Control characters become spaces. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
}

/** Lines of at most `columns`; those after the first begin with `indent`. A word longer than that stays whole. */
export function wrap(text: string, indent = '', columns = COLUMNS): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent + word;
    } else {
      line = lines.length === 0 && line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
