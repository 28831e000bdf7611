// V12: whatever a request or an operator's words hold, the access log has one line of plain ASCII a request, metrics have no
// line and no label value that came from outside, the audit log one line a change, and what the command prints moves no cursor.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tellEvent } from '../../src/cli/events.ts';
import { renderExplanation } from '../../src/cli/explanation-text.ts';
import type { ToldExplanation } from '../../src/core/explain.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

/** Escapes of a terminal in 8 bits, a line separator of JavaScript, quotes, shells and templates. */
const HOSTILE = '\x9b31m\x85\xa0"\\#{7*7}<script>\'%0d%0aX:1 {"level":50}';
const IN_TARGET = '/"},{"level":50,"url":"%0d%0a%1b[31m\\u001b<script>';
const SENT = [
  `GET ${IN_TARGET} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: ${HOSTILE}\r\nReferer: ${HOSTILE}\r\n\r\n`,
  `GET /tab HTTP/1.1\r\nHost: shop.example\r\nX-Lockstep-Version: ${HOSTILE}\r\n\r\n`,
  `GET /cookie HTTP/1.1\r\nHost: shop.example\r\nCookie: lockstep=${HOSTILE}\r\nX-Forwarded-For: ${HOSTILE}\r\n\r\n`,
  `!#$%&'*+-.^_\`|~ /method HTTP/1.1\r\nHost: shop.example\r\n\r\n`,
  `GET /host HTTP/1.1\r\nHost: ${HOSTILE}\r\n\r\n`,
  `GET /control HTTP/1.1\r\nHost: shop.example\r\nX: a\x1b[2Jb\r\n\r\n`,
  `${HOSTILE}\r\n\r\n`,
];
/** Printable, or the end of a line. */
const PLAIN = /^[\n\x20-\x7e]*$/;
const CONTROL = /[\p{Cc}\p{Cf}]/u;

let folder: string;
let scene: TwoVersions;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-injected-'));
  scene = await startTwoVersions({ accessLog: { file: join(folder, 'access.log') } });
  for (const bytes of SENT) {
    const client = await rawClient(scene.gateway);
    await client.send(bytes);
    await client.finalAnswer();
    client.close();
  }
});
afterAll(async () => {
  await scene?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function logLines(): Promise<readonly string[]> {
  const text = await waitFor(
    async () => {
      const found = await readFile(join(folder, 'access.log'), 'latin1');
      return found.split('\n').length > SENT.length ? found : null;
    },
    { what: 'a line a request' },
  );
  expect(text).toMatch(PLAIN);
  return text.trimEnd().split('\n');
}

test('the access log has one line of ASCII for each request, whatever is in it', async () => {
  const lines = await logLines();
  expect(lines).toHaveLength(SENT.length);
  const parsed = lines.map((line) => JSON.parse(line) as { level: number; url: string; method: string });
  expect(parsed.every(({ level }) => level === 30)).toBe(true);
  expect(parsed[0]!.url).toBe(IN_TARGET);
});

test('metrics hold nothing that a client said', async () => {
  const text = (await scene.gateway.admin.call('GET', '/metrics')).text();
  expect(text).toMatch(PLAIN);
  for (const said of ['<script', '7*7', 'shop.example', '/tab', "'*+"]) expect(text).not.toContain(said);
  const malformed = text.split('\n').filter((line) => !/^(#.*|[a-z_0-9]+(\{[^{}]*\})? \S+|)$/.test(line));
  expect(malformed).toEqual([]);
});

test('what explain prints of them moves no cursor', async () => {
  for (const line of await logLines()) {
    const { id } = JSON.parse(line) as { id: string };
    const answer = await scene.gateway.admin.call('POST', '/v1/explain', { request: id });
    if (answer.status !== 200) continue; // a request that could not be read is not kept
    const now = { nowMs: Date.now(), columns: 80, timeZone: 'UTC' };
    const printed = renderExplanation(answer.json<ToldExplanation>(), now);
    expect(printed.replaceAll('\n', '')).not.toMatch(CONTROL);
  }
});

test('the reason of a cut-off stays one line, in the audit log and on the screen', async () => {
  const reason = 'bad\nbuild\r\n{"actor":"root"}\x1b[2J\u2028\u202e\x9b31m';
  await scene.gateway.admin.promote('v2');
  const answer = await scene.gateway.admin.call('POST', '/v1/versions/v1/cutoff', { reason });
  expect([200, 400]).toContain(answer.status);
  const { stateDir } = scene.gateway;
  const audit = (await readdir(stateDir)).filter((name) => name.startsWith('audit'));
  expect(audit).not.toEqual([]);
  const text = await readFile(join(stateDir, audit[0]!), 'utf8');
  for (const line of text.trimEnd().split('\n')) {
    expect(line).not.toMatch(/[\x00-\x1f]/);
    expect(() => JSON.parse(line) as unknown).not.toThrow();
  }
  const event = { id: 1, type: 'cut-off', time: new Date().toISOString(), version: 'v1', detail: { reason } };
  const printed = tellEvent(event as unknown as Parameters<typeof tellEvent>[0], Date.now(), 'UTC');
  expect(printed.slice(0, -1)).not.toMatch(CONTROL);
});
