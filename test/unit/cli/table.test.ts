import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderStatus } from '../../../src/cli/status-table.ts';
import { type Column, renderTable } from '../../../src/cli/table.ts';
import { columnsOf } from '../../../src/cli/terminal.ts';
import { statusOf, version } from './status-fixtures.ts';

const COLUMNS: readonly Column[] = [
  { title: 'ID', roomy: 8 },
  { title: 'LIVE', align: 'right', roomy: 6 },
  { title: 'SPARE', align: 'right', spare: 1 },
  { title: 'WHY', wraps: true },
];
const ROWS = [
  ['v1', '12', '3', 'because it is so, and was so for a long time, and nobody knows why'],
  ['feature-with-a-long-name', '1', '4', '-'],
];

describe('a table', () => {
  test('has its columns as wide as what is in them, the last one wrapped', () => {
    expect(renderTable(COLUMNS, ROWS, 80)).toEqual([
      'ID                          LIVE  SPARE  WHY',
      'v1                            12      3  because it is so, and was so for a long',
      '                                         time, and nobody knows why',
      'feature-with-a-long-name       1      4  -',
    ]);
  });

  test('gives a long id a line of its own where there is no room, and never cuts it', () => {
    expect(renderTable(COLUMNS, ROWS, 54)).toEqual([
      'ID          LIVE  SPARE  WHY',
      'v1            12      3  because it is so, and was so',
      '                         for a long time, and nobody',
      '                         knows why',
      'feature-with-a-long-name',
      '               1      4  -',
    ]);
  });

  test('leaves spare columns out where they have no room', () => {
    expect(renderTable(COLUMNS, ROWS, 40)[0]).toBe('ID  LIVE  WHY');
  });

  test('fits its screen, whatever stands in it', () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/);
    const prose = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(' '));
    const cell = fc.stringMatching(/^\d{0,6}$/);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, cell, cell, prose), { maxLength: 5 }),
        fc.integer({ min: 40, max: 200 }),
        (rows, screen) => {
          const lines = renderTable(COLUMNS, rows, screen);
          expect(lines.filter((line) => line.length > screen)).toEqual([]);
          for (const [id] of rows) expect(lines.some((line) => line.startsWith(id))).toBe(true);
        },
      ),
    );
  });
});

describe('the status', () => {
  const long = 'release-2026.03.01-hotfix.4';
  const status = statusOf([
    version(long, { state: 'active', weight: 100, sessions: { live: 1_234_567, confirmed: 1, streams: 2 } }),
    version('v2', { state: 'draining' }),
  ]);
  const render = (columns: number) =>
    renderStatus(status, {
      nowMs: Date.parse('2026-03-01T03:12:00Z'),
      timeZone: 'UTC',
      colour: false,
      columns,
    }).split('\n');

  test.each([40, 60, 80, 100, 120, 200])('fits %i columns', (columns) => {
    expect(render(columns).filter((line) => line.length > columns)).toEqual([]);
  });

  test('has all columns at 80, and the id in its row where there is room for it', () => {
    expect(render(80)[2]).toBe(
      'VERSION           STATE      NEW     LIVE  CONFIRMED  STREAMS  IN FLIGHT      UP',
    );
    expect(render(80)[3]).toBe(long);
    expect(render(120)[3]).toMatch(new RegExp(`^${long}  active`));
    expect(render(50)[2]).toMatch(/^VERSION +STATE +NEW +LIVE +IN FLIGHT +UP$/);
    expect(render(40).find((line) => line.startsWith('VERSION'))).toMatch(/^VERSION +STATE +NEW +LIVE +UP$/);
  });
});

test.each([
  { given: { isTTY: true, columns: 132 }, env: {}, want: 132 },
  { given: { isTTY: true, columns: 12 }, env: {}, want: 40 },
  { given: { isTTY: true, columns: 0 }, env: { COLUMNS: '100' }, want: 100 },
  { given: { isTTY: false }, env: {}, want: 80 },
  { given: {}, env: { COLUMNS: '120' }, want: 120 },
  { given: {}, env: { COLUMNS: 'wide' }, want: 80 },
])('a screen of $given with $env has $want columns', ({ given, env, want }) => {
  expect(columnsOf(given, env)).toBe(want);
});
