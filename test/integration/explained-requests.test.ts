// lockstep explain, end to end: the id of a line in the access log leads to why the request went where it went, and a
// question about a request that nobody sent leaves no trace.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ToldExplanation } from '../../src/core/explain.ts';
import { httpRequest } from '../kit/http-request.ts';
import { pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

interface LogLine {
  readonly id: string;
  readonly url: string;
  readonly session: string;
}

let folder: string;
let scene: TwoVersions;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-explain-'));
  scene = await startTwoVersions({
    accessLog: { file: join(folder, 'access.log') },
    more: { hosts: ['127.0.0.1', 'shop.example'] },
  });
});
afterEach(async () => {
  await scene.stop();
  await rm(folder, { recursive: true, force: true });
});

const explain = async (body: unknown): Promise<ToldExplanation> =>
  (await scene.gateway.admin.call('POST', '/v1/explain', body)).json<ToldExplanation>();

function logged(url: string): Promise<LogLine> {
  const find = async () => {
    const lines = (await readFile(join(folder, 'access.log'), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as LogLine).find((line) => line.url === url);
  };
  return waitFor(find, { what: `a line for ${url}` });
}

test('the id of a log line tells why that request went where it went, also after things have changed', async () => {
  const { gateway, v1 } = scene;
  const cookie = `x=y; lockstep=${pinOf({ version: 'v1' })}`;
  await httpRequest(`${gateway.url}/pinned`, { headers: { cookie, 'x-lockstep-version': 'v9' } });
  await gateway.admin.wait('v2', 'healthy');
  await gateway.admin.promote('v2');
  await gateway.admin.retire('v1', true);
  const { id } = await logged('/pinned');
  const found = await explain({ request: id });
  expect(found).toMatchObject({
    method: 'GET',
    target: '/pinned',
    reason: 'pinned',
    version: { id: 'v1', state: 'active' },
    why: 'its version is v1',
    chosen: new URL(v1.url).host,
    past: { id, status: 200, failure: null, retries: 0 },
  });
  expect(found.sources.map(({ verdict }) => verdict)).toEqual(['ignored', 'won', 'unasked']);
});

test('a request that was refused before it was routed is explained too', async () => {
  await httpRequest(`${scene.gateway.url}/other-host`, { headers: { host: 'evil.example' } });
  const { id } = await logged('/other-host');
  expect(await explain({ request: id })).toMatchObject({
    action: 'refuse',
    failure: 'unknown-host',
    why: 'This host is not served here.',
    past: { id, status: 421 },
  });
});

test('a question touches nothing: no upstream is asked, no session counted, nothing logged', async () => {
  const { gateway, v1, v2 } = scene;
  const before = await gateway.admin.status();
  const seen = [v1, v2].map((upstream) => upstream.requests.length);
  const cookie = `lockstep=${pinOf({ version: 'v1' })}`;
  for (let ask = 0; ask < 20; ask++) {
    expect(await explain({ url: 'https://shop.example/cart', headers: { cookie } })).toMatchObject({
      reason: 'pinned',
      chosen: new URL(v1.url).host,
      past: null,
    });
    expect(await explain({ url: '/', headers: { accept: 'text/html' } })).toMatchObject({
      reason: 'new',
      kind: 'navigation',
    });
  }
  const after = await gateway.admin.status();
  expect(after.versions.map(({ sessions, inFlight }) => [sessions, inFlight])).toEqual(
    before.versions.map(({ sessions, inFlight }) => [sessions, inFlight]),
  );
  expect([v1, v2].map((upstream) => upstream.requests.length)).toEqual(seen);
  expect(await readFile(join(folder, 'access.log'), 'utf8')).toBe('');
});

test('a question about a Host that is not served says so', async () => {
  expect(await explain({ url: 'https://evil.example/' })).toMatchObject({
    failure: 'unknown-host',
    status: 421,
  });
});
