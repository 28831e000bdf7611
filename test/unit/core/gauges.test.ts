// Counts that protect upstreams: room, queues and faults in a row.

import { describe, expect, test } from 'vitest';
import { Gauges } from '../../../src/core/gauges.ts';

describe('enter', () => {
  test('counts in up to the limit, and nothing beyond it', () => {
    const gauges = new Gauges();
    expect([gauges.enter(1, 10, 2), gauges.enter(1, 10, 2), gauges.enter(1, 10, 2)]).toEqual([
      true,
      true,
      false,
    ]);
    expect([gauges.inFlight(10), gauges.versionInFlight(1)]).toEqual([2, 2]);
    gauges.leave(1, 10);
    expect(gauges.enter(1, 10, 2)).toBe(true);
  });

  test('has no limit of its own', () => {
    const gauges = new Gauges();
    for (let count = 0; count < 10_000; count++) expect(gauges.enter(1, 10)).toBe(true);
  });
});

describe('faults in a row', () => {
  test('of connections end with one that is taken', () => {
    const gauges = new Gauges();
    expect([gauges.connectFailed(10), gauges.connectFailed(10), gauges.connectFailed(11)]).toEqual([1, 2, 1]);
    gauges.answered(10);
    expect(gauges.connectFaults(10)).toBe(2);
    gauges.connected(10);
    expect([gauges.connectFaults(10), gauges.connectFaults(11)]).toEqual([0, 1]);
  });

  test('of answers end with a good one, and so does whose they were', () => {
    const gauges = new Gauges();
    expect([gauges.answerFailed(10, 7), gauges.answerFailed(10, 7), gauges.answerFailed(10, 31)]).toEqual([
      1, 2, 3,
    ]);
    gauges.connected(10);
    expect([gauges.answerFaults(10), gauges.faultClients(10)]).toEqual([3, 2]);
    gauges.answered(10);
    expect([gauges.answerFaults(10), gauges.faultClients(10)]).toEqual([0, 0]);
  });

  test.each([
    { hashes: [5], clients: 1 },
    { hashes: [5, 5 + 32, 5 - 32], clients: 1 },
    { hashes: Array.from({ length: 1_000 }, (_, hash) => hash), clients: 32 },
  ])('never count more clients than there were ($clients)', ({ hashes, clients }) => {
    const gauges = new Gauges();
    for (const hash of hashes) gauges.answerFailed(10, hash);
    expect(gauges.faultClients(10)).toBe(clients);
  });
});

test('queues and connections are counted by row', () => {
  const gauges = new Gauges();
  gauges.queueJoined(1);
  gauges.queueJoined(1);
  gauges.queueLeft(1);
  gauges.connectionOpened(10);
  expect([gauges.versionQueued(1), gauges.versionQueued(2)]).toEqual([1, 0]);
  expect([gauges.connections(10), gauges.connections(11)]).toEqual([1, 0]);
  gauges.connectionClosed(10);
  expect(gauges.connections(10)).toBe(0);
});
