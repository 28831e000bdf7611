// Whether assets are kept, and if not, since when and why, is told by the status: a disk that stops to take them, one that takes
// them again, and a folder that cannot be used from the start. Requests go on all the while.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Assets } from '../../../src/assets/assets.ts';
import { startGateway } from '../../kit/gateway.ts';
import { temporaryFolder } from '../../kit/gateway-config.ts';
import { httpRequest } from '../../kit/http-request.ts';
import { startUpstream } from '../../kit/upstream.ts';

const MEMORY = { maxBytes: 1_048_576, maxFileBytes: 65_536, maxAgeMs: 86_400_000 };
const POLICY = { match: ['hashed'], memory: MEMORY, warm: false };
const NO_AHEAD = { paths: [], hosts: null, scheme: 'http' } as const;
const NOON = Date.parse('2026-01-01T12:00:00Z');
const WELL = { maxBytes: 1_048_576, writable: true, since: null, error: null };

let stateDir: string;
let nowMs: number;
let told: string[];
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  const folder = await temporaryFolder('state');
  cleanUp = [() => folder.remove()];
  stateDir = folder.path;
  nowMs = NOON;
  told = [];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function open(): Promise<Assets> {
  const fields = {
    'content-type': 'text/javascript',
    'content-length': '3',
    'cache-control': 'max-age=31536000, immutable',
  };
  const assets = await Assets.open(stateDir, POLICY, NO_AHEAD, {
    asker: {
      ask: async () => ({ status: 200, fields, body: Readable.from([Buffer.from('one')]) as never }),
      close: async () => {},
    },
    holder: { isLost: false, isHeld: async () => true },
    liveVersions: () => ['v1'],
    cutOffVersions: () => [],
    healthyVersions: () => ['v1'],
    serversOf: () => ['127.0.0.1:1'],
    wallMs: () => nowMs,
    tell: (type) => told.push(type),
    warn: () => {},
  });
  cleanUp.push(() => assets.close());
  return assets;
}

async function keep(assets: Assets, target: string): Promise<void> {
  assets.seen({ version: 'v1', scheme: 'http', host: 'shop.example', target });
  await assets.settled();
}

it('a disk that stops to take them, since when, and that it takes them again', async () => {
  const assets = await open();
  await keep(assets, '/one-3f2a9c01.js');
  expect(assets.status).toEqual({ ...WELL, kept: 1, bytes: 2_051 });

  const bodies = join(stateDir, 'assets', 'bodies');
  await rm(bodies, { recursive: true });
  await keep(assets, '/two-3f2a9c02.js');
  const error = expect.stringContaining('ENOENT');
  const ill = { ...WELL, kept: 1, bytes: 2_051, writable: false, since: '2026-01-01T12:00:00.000Z', error };
  expect(assets.status).toEqual(ill);

  nowMs += 61_000; // it is tried again, and fails again
  await keep(assets, '/two-3f2a9c02.js');
  expect(assets.status).toEqual(ill);

  nowMs += 61_000;
  await mkdir(bodies);
  await keep(assets, '/two-3f2a9c02.js');
  expect(assets.status).toEqual({ ...WELL, kept: 2, bytes: 4_099 });
  expect(told).toEqual(['asset-memory-off', 'asset-memory-off', 'asset-memory-on']);
});

it('a folder that cannot be used, until none are to be kept', async () => {
  await writeFile(join(stateDir, 'assets'), 'no folder');
  const assets = await open();
  expect(assets.status).toMatchObject({ kept: 0, writable: false, since: '2026-01-01T12:00:00.000Z' });
  expect(assets.status!.error).toMatch(/EEXIST|ENOTDIR/);
  await assets.configure({ ...POLICY, memory: null }, NO_AHEAD);
  expect(assets.status).toBeNull();
});

it('a gateway whose folder cannot be used serves, and its status says so', async () => {
  await writeFile(join(stateDir, 'assets'), 'no folder');
  const v1 = await startUpstream({ version: 'v1' });
  cleanUp.push(() => v1.stop());
  const gateway = await startGateway({
    versions: { v1: [v1.url] },
    active: 'v1',
    stateDir,
    more: { assets: {} },
  });
  cleanUp.push(() => gateway.stop());
  expect((await httpRequest(gateway.url)).status).toBe(200);
  const { assets } = await gateway.admin.status();
  expect(assets).toMatchObject({ kept: 0, bytes: 0, maxBytes: 268_435_456, writable: false });
});
