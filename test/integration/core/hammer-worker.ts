// A worker that uses the shared ledger and gauges as a data-plane thread does, as fast as it can, on sessions that all
// the others use too, until it is told to stop or is terminated.

import { workerData } from 'node:worker_threads';
import { Gauges } from '../../../src/core/gauges.ts';
import { Ledger } from '../../../src/core/sessions.ts';
import {
  Hammered,
  type HammerTask,
  MINTED,
  MINTS,
  OPERATIONS,
  REFUSED,
  sessionOf,
  VERSIONS,
  versionOf,
} from './hammered.ts';

const { handle, thread, seed, flock } = workerData as HammerTask;
const shared = new Hammered(handle);
const ledger = Ledger.attach(handle.ledger, thread);
const gauges = Gauges.attach(handle.gauges, thread);
const streams = shared.streams(thread);
let state = seed;

function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** Where the others are, too: what all have done tells which pairs are in turn. */
function anyPair(): number {
  if (random(2) === 0) return random(shared.pairs);
  return ((Atomics.load(shared.cells, OPERATIONS) >>> 7) + random(4)) % shared.pairs;
}

function closeOne(pair: number): void {
  if (streams[pair] === 0) return;
  const nowMs = shared.nowMs;
  Atomics.sub(streams, pair, 1);
  ledger.streamClosed(sessionOf(pair), versionOf(pair), nowMs);
  gauges.streamClosed(versionOf(pair));
  shared.wasSeen(pair, nowMs);
}

function step(): void {
  const pair = anyPair();
  const [session, version, nowMs] = [sessionOf(pair), versionOf(pair), shared.nowMs];
  const firstMs = handle.startMs - 1;
  switch (random(16)) {
    case 0:
      ledger.repin(session, version, nowMs);
      shared.wasSeen(pair, nowMs);
      return;
    case 1:
      ledger.streamOpened(session, version, nowMs);
      gauges.streamOpened(version);
      shared.wasSeen(pair, nowMs);
      Atomics.add(streams, pair, 1);
      return;
    case 2:
    case 3:
      for (let tried = 0; tried < VERSIONS * 16; tried++) closeOne((pair + tried) % shared.pairs);
      return;
    case 4:
      ledger.busy(session, version, nowMs);
      return;
    case 5:
      ledger.currentVersion(session);
      ledger.lastSeenMs(session);
      ledger.lastBusyMs(session);
      return;
    case 6:
      ledger.mint(MINTED, handle.startMs);
      Atomics.add(shared.cells, MINTS, 1);
      return;
    default:
      gauges.enter(version, 1);
      if (ledger.touch(session, version, firstMs, nowMs)) shared.wasSeen(pair, nowMs);
      else Atomics.add(shared.cells, REFUSED, 1);
      gauges.leave(version, 1);
  }
}

function hammer(): void {
  while (!shared.isStopped) {
    for (let count = 0; count < 64; count++) step();
    Atomics.add(shared.cells, OPERATIONS, 64);
  }
  for (let pair = 0; pair < shared.pairs; pair++) while (streams[pair]! > 0) closeOne(pair);
}

/** The same new sessions as the others of the flock, at the same time. */
function flockTogether(size: number): void {
  for (let pair = 0; pair < shared.pairs; pair++) {
    if (pair % 30 === 0) {
      const meeting = (pair / 30 + 1) * size;
      Atomics.add(shared.cells, OPERATIONS, 1);
      while (Atomics.load(shared.cells, OPERATIONS) < meeting);
    }
    ledger.touch(sessionOf(pair), versionOf(pair), handle.startMs, handle.startMs);
  }
}

shared.began();
if (flock === 0) hammer();
else flockTogether(flock);
shared.ended();
