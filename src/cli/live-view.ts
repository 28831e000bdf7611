// A view that is redrawn in place until q or Ctrl-C. Nothing flickers: a frame is one write, each line clears only what
// is left of the one before it. The screen of before comes back at the end, and the last frame stays below it.

import type { Screen, Terminal } from './terminal.ts';

export interface LiveView {
  /** Lines, newest state first to last. */
  show(text: string): void;
  /** Aborted by the keys that end it. */
  readonly ended: AbortSignal;
  close(): void;
}

const ESC = '\u001b[';
/** Another screen, no cursor, no wrapping: a line that is too long must not push the others down. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l`;
const LEAVE = `${ESC}?7h${ESC}?25h${ESC}?1049l`;
/** Terminals that know it paint only when the frame is whole; others pass over it. */
const BEGIN = `${ESC}?2026h${ESC}H`;
const END = `${ESC}J${ESC}?2026l`;
const TO_LINE_END = `${ESC}K`;
const ENDING_KEYS: ReadonlySet<string> = new Set(['q', 'Q', '\u0003', '\u0004']);

export function liveView({ out }: Pick<Terminal, 'out'>, screen: Screen): LiveView {
  const end = new AbortController();
  let last = '';
  const paint = () => {
    const { rows, columns } = screen;
    const lines = fit(last.trimEnd().split('\n'), rows).map((line) => clip(line, columns));
    out(BEGIN + lines.join('\r\n') + END);
  };
  const leave = screen.enter(ENTER, LEAVE);
  const forgetKeys = screen.onKey((key) => {
    if (ENDING_KEYS.has(key)) end.abort();
  });
  const forgetResize = screen.onResize(paint);
  return {
    ended: end.signal,
    show: (text) => {
      last = text;
      paint();
    },
    close: () => {
      forgetKeys();
      forgetResize();
      leave();
      out(last);
    },
  };
}

/** What does not fit is left out above the last line, which says what to do next. */
function fit(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, Math.max(0, rows - 2)), '…', lines.at(-1)!];
}

const COLOURS = /\u001b\[[\d;]*m/g;

/** One line of the screen, whole. Clearing to the end of a line that fills it would take its last character. */
function clip(line: string, columns: number): string {
  const plain = line.replaceAll(COLOURS, '');
  if (plain.length < columns) return line + TO_LINE_END;
  return plain.length === columns ? line : plain.slice(0, columns);
}
