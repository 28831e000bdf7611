import { expect, test } from 'vitest';
import { EMPTY_TABLE, type RoutingTable } from '../../../src/core/table.ts';
import { RequestTrail } from '../../../src/observe/request-trail.ts';
import { exchange } from './exchange-record.ts';

const table = (generation: number): RoutingTable => ({ ...EMPTY_TABLE, generation });
const filled = (capacity: number, count: number) => {
  const trail = new RequestTrail({ prefix: 'k3f9x', capacity });
  const ids = Array.from({ length: count }, (_, n) => trail.add(exchange({ url: `/${n}` }), table(n)));
  return { trail, ids };
};

test('gives each request an id of its own, in letters that a log line needs not escape', () => {
  const { ids } = filled(4, 100);
  expect(new Set(ids).size).toBe(100);
  expect(ids[0]).toBe('k3f9x-0');
  for (const id of ids) expect(id).toMatch(/^k3f9x-[0-9a-z]+$/);
});

test('finds the latest requests, with the table of their end, and has forgotten the others', () => {
  const { trail, ids } = filled(4, 10);
  expect(ids.map((id) => trail.find(id)?.exchange.url ?? null)).toEqual([
    ...Array.from({ length: 6 }, () => null),
    '/6',
    '/7',
    '/8',
    '/9',
  ]);
  expect(trail.find(ids[9]!)).toMatchObject({ id: ids[9], table: { generation: 9 } });
});

test.each([
  { name: 'a failure', given: exchange({ failure: 'upstream-reset', status: 502 }) },
  { name: 'a dead pin', given: exchange({ reason: 'pin-gone', status: 409 }) },
  { name: 'a move', given: exchange({ reason: 'repinned-navigation' }) },
  { name: "an application's own error", given: exchange({ status: 500 }) },
])('remembers $name for longer than what is usual', ({ given }) => {
  const trail = new RequestTrail({ prefix: 'p', capacity: 4 });
  const unusual = trail.add(given, EMPTY_TABLE);
  const usual = trail.add(exchange(), EMPTY_TABLE);
  for (let n = 0; n < 50; n++) trail.add(exchange(), EMPTY_TABLE);
  expect(trail.find(unusual)?.exchange).toBe(given);
  expect(trail.find(usual)).toBeNull();
});

test.each([
  '',
  'k3f9x',
  'k3f9x-',
  'k3f9x-zz',
  'k3f9x--1',
  'k3f9x-0.5',
  'k3f9x-0 ',
  'other-0',
  'k3f9x-__proto__',
])('knows no request %j', (id) => {
  expect(filled(4, 2).trail.find(id)).toBeNull();
});

test('keeps no more than twice its capacity, whatever comes', () => {
  const trail = new RequestTrail({ prefix: 'p', capacity: 8 });
  const ids = Array.from({ length: 1_000 }, (_, n) =>
    trail.add(exchange({ status: n % 2 === 0 ? 500 : 200 }), EMPTY_TABLE),
  );
  expect(ids.filter((id) => trail.find(id) !== null).length).toBeLessThanOrEqual(16);
});
