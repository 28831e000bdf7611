// A table that fits its screen: columns as wide as what stands in them, spare ones left out where there is no room, the
// last one wrapped. Pure. The first column is there to be typed: it is never cut, what is too long gets a line of its own.

import { wrap } from './text.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /** At least that wide where there is room, so that numbers that grow move nothing. */
  readonly roomy?: number;
  /** Left out where there is no room: the lowest first. */
  readonly spare?: number;
  /** Only of the last one: takes what is left, in as many lines as it needs. */
  readonly wraps?: true;
}

const GAP = 2;
/** A column of prose that is narrower than this cannot be read. */
const NARROWEST_PROSE = 24;

interface Laid {
  readonly column: Column;
  /** Of its cells. */
  readonly at: number;
  readonly width: number;
}

export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  screen: number,
): string[] {
  const [first, ...others] = lay(columns, rows, screen);
  const lines = [columns.map(({ title }) => title), ...rows].flatMap((cells) => {
    const id = cells[first!.at]!;
    if (id.length <= first!.width) return row(id, first!, others, cells, screen);
    return [id, ...row('', first!, others, cells, screen)];
  });
  return lines.map((line) => line.trimEnd());
}

/** Widths of the columns that stay. */
function lay(columns: readonly Column[], rows: readonly (readonly string[])[], screen: number): Laid[] {
  const natural = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((cells) => cells[at]!.length)),
  );
  let kept = columns.map((column, at) => ({ column, at }));
  const needs = (isRoomy: boolean) =>
    kept.slice(1).reduce((sum, { column, at }) => sum + GAP + widthOf(column, natural[at]!, isRoomy), 0);
  let isRoomy = true;
  for (;;) {
    const left = screen - needs(isRoomy);
    const { title, roomy } = columns[0]!;
    const wanted = isRoomy ? Math.max(roomy ?? 0, title.length) : title.length;
    const spare = kept.filter(({ column }) => column.spare !== undefined);
    if (left >= wanted || (!isRoomy && spare.length === 0)) {
      // One that gets a line of its own makes the column no wider.
      const fitting = rows.map((cells) => cells[0]!.length).filter((length) => length <= left);
      const width = Math.max(title.length, Math.min(left, wanted), ...fitting);
      return kept.map(({ column, at }, index) => ({
        column,
        at,
        width: index === 0 ? width : widthOf(column, natural[at]!, isRoomy),
      }));
    }
    if (isRoomy) isRoomy = false;
    else {
      const least = Math.min(...spare.map(({ column }) => column.spare!));
      kept = kept.filter(({ column }) => column.spare !== least);
    }
  }
}

function widthOf({ roomy = 0, wraps }: Column, natural: number, isRoomy: boolean): number {
  if (wraps) return NARROWEST_PROSE;
  return isRoomy ? Math.max(roomy, natural) : natural;
}

function row(
  id: string,
  first: Laid,
  others: readonly Laid[],
  cells: readonly string[],
  screen: number,
): string[] {
  const gap = ' '.repeat(GAP);
  let line = id.padEnd(first.width);
  for (const { column, at, width } of others) {
    const cell = cells[at]!;
    if (column.wraps) {
      const margin = ' '.repeat(line.length + GAP);
      const prose = wrap(cell, '', screen - margin.length);
      return prose.map((words, index) => (index === 0 ? `${line}${gap}${words}` : `${margin}${words}`));
    }
    line += gap + (column.align === 'right' ? cell.padStart(width) : cell.padEnd(width));
  }
  return [line];
}
