// Somebody is to see v2 before it is promoted: an operator makes a link, a browser with a cookie jar opens it and is on v2,
// with all that the page asks for; nobody else is. It ends by ?end=1, by the operator, and with its version; its secret is
// in no log, event, audit entry or explanation.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import type { ToldExplanation } from '../../src/core/explain.ts';
import type { AuditEntry, PreviewReport } from '../../src/core/status.ts';
import { cookieJar } from '../kit/cookie-jar.ts';
import { type Answer, httpRequest } from '../kit/http-request.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';
import { fakeTerminal } from './admin/fake-terminal.ts';

const DOCUMENT = { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate', accept: 'text/html' };

let folder: string;
let scene: TwoVersions;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-preview-'));
  scene = await startTwoVersions({ accessLog: { file: join(folder, 'access.log') } });
});
afterEach(async () => {
  await scene.stop();
  await rm(folder, { recursive: true, force: true });
});

const open = async (body: object = {}): Promise<PreviewReport> => {
  const answer = await scene.gateway.admin.call('POST', '/v1/versions/v2/preview', body);
  expect(answer.status).toBe(200);
  return answer.json<PreviewReport>();
};

/** A browser, as far as cookies go. */
function visitor() {
  const jar = cookieJar();
  const get = async (path: string, headers: Record<string, string> = DOCUMENT): Promise<Answer> => {
    const url = new URL(path, scene.gateway.url);
    const cookie = jar.headerFor(url);
    const answer = await httpRequest(url.href, { headers: { ...headers, ...(cookie !== '' && { cookie }) } });
    jar.store(answer.setCookies, url);
    return answer;
  };
  return { jar, get, version: async (path: string) => (await get(path)).headers['x-lockstep-version'] };
}

const linkOf = ({ link }: PreviewReport): string => link ?? '';

describe('a preview', () => {
  test('is for the browser that opens its link, and for nobody else', async () => {
    const [guest, other] = [visitor(), visitor()];
    expect(await guest.version('/')).toBe('v1');
    const pin = guest.jar.get('lockstep')!.value;
    const opened = await guest.get(linkOf(await open({ to: '/cart?x=1' })));
    expect([opened.status, opened.headers.location]).toEqual([303, '/cart?x=1']);
    expect(opened.headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
    expect(opened.setCookies).toHaveLength(1);
    expect(opened.setCookies[0]).toMatch(
      /^lockstep-preview=1\.v2~.*; Max-Age=7200; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    for (const path of ['/', '/cart', '/api/x', '/assets/app.js'])
      expect(await guest.version(path)).toBe('v2');
    expect(await other.version('/')).toBe('v1');
    expect(guest.jar.get('lockstep')!.value).toBe(pin);
    const { sessions, inFlight } = await scene.gateway.admin.version('v2');
    expect([sessions.live, sessions.streams, inFlight]).toEqual([0, 0, 0]);
    expect(scene.v2.requests.every(({ headers }) => !headers.cookie?.includes('preview'))).toBe(true);
    const ended = await guest.get('/.lockstep/preview?end=1&to=/');
    expect([ended.status, ended.headers.location, guest.jar.get('lockstep-preview')]).toEqual([
      303,
      '/',
      undefined,
    ]);
    expect(await guest.version('/')).toBe('v1');
  });

  test('ends for all when the operator says so, and others can be made', async () => {
    const guest = visitor();
    await guest.get(linkOf(await open()));
    expect(await guest.version('/')).toBe('v2');
    const { epoch } = await scene.gateway.admin.status();
    expect((await scene.gateway.admin.call('DELETE', '/v1/versions/v2/preview')).status).toBe(200);
    expect((await scene.gateway.admin.status()).epoch).toBe(epoch + 1);
    expect(await guest.version('/')).toBe('v1');
    await guest.get(linkOf(await open()));
    expect(await guest.version('/')).toBe('v2');
  });

  test('ends with its version, and its link with it', async () => {
    const guest = visitor();
    const made = await open();
    await guest.get(linkOf(made));
    await scene.gateway.admin.retire('v2');
    expect(await guest.version('/')).toBe('v1');
    expect((await visitor().get(linkOf(made))).status).toBe(410);
    const refused = await scene.gateway.admin.call('POST', '/v1/versions/v2/preview', {});
    expect([refused.status, refused.json<{ code: string }>().code]).toEqual([409, 'not-previewable']);
    expect((await scene.gateway.admin.call('POST', '/v1/versions/v9/preview', {})).status).toBe(404);
  });

  test('never becomes the pin, not even when its version is promoted', async () => {
    const guest = visitor();
    await guest.version('/');
    await guest.get(linkOf(await open()));
    await scene.gateway.admin.wait('v2', 'healthy');
    await scene.gateway.admin.promote('v2');
    expect(await guest.version('/')).toBe('v2');
    await guest.get('/.lockstep/preview?end=1');
    expect(await guest.version('/')).toBe('v1');
  });

  test.each([
    '//evil.example/',
    '/\\evil.example/',
    'https://evil.example/',
    'evil.example',
    '/%0d%0aSet-Cookie:x=y\r\n',
    '/\tevil',
    '/.lockstep/preview?end=1',
    '',
  ])('leads nowhere else: %j', async (to) => {
    const { link } = await open();
    const answer = await visitor().get(`${link}&to=${encodeURIComponent(to)}`);
    expect([answer.status, answer.headers.location, answer.setCookies]).toEqual([400, undefined, []]);
    const asked = await scene.gateway.admin.call('POST', '/v1/versions/v2/preview', { to });
    expect(asked.status).toBe(400);
  });

  test.each([
    { site: 'cross-site', dest: 'image', want: 403 },
    { site: 'same-site', dest: 'iframe', want: 403 },
    { site: 'cross-site', dest: 'document', want: 303 },
    { site: 'same-origin', dest: 'iframe', want: 303 },
  ])(
    'is opened by people, not by what is loaded within the page of another site: $site $dest',
    async (from) => {
      const headers = { 'sec-fetch-site': from.site, 'sec-fetch-dest': from.dest };
      const guest = visitor();
      const opened = await guest.get(linkOf(await open()), headers);
      expect([opened.status, opened.setCookies.length]).toEqual([from.want, from.want === 303 ? 1 : 0]);
      const ended = await guest.get('/.lockstep/preview?end=1', headers);
      expect([ended.status, ended.setCookies.length]).toEqual([from.want, from.want === 303 ? 1 : 0]);
    },
  );

  test.each([{ for: '59s' }, { for: '169h' }, { for: 7200 }, { scope: 'all' }, { x: 1 }])(
    'is not made of %j',
    async (body) => {
      const answer = await scene.gateway.admin.call('POST', '/v1/versions/v2/preview', body);
      expect([answer.status, answer.json<{ code: string }>().code]).toEqual([400, 'bad-value']);
    },
  );
});

test('the secret is told to who asked for it, and to nobody else', async () => {
  const events = await scene.gateway.admin.follow();
  const made = await open({ to: '/cart' });
  const secret = new URLSearchParams(linkOf(made).split('?')[1]).get('t')!;
  const guest = visitor();
  await guest.get(linkOf(made));
  await guest.get('/previewed');
  const lines = await waitFor(
    async () => {
      const text = await readFile(join(folder, 'access.log'), 'utf8').catch(() => '');
      return text.includes('/previewed') ? text : null;
    },
    { what: 'the access log' },
  );
  expect(lines).toContain('"url":"/.lockstep/preview?[secret]"');
  const ids = lines
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);
  const told = await Promise.all(
    ids.map(async (request) =>
      (await scene.gateway.admin.call('POST', '/v1/explain', { request })).json<ToldExplanation>(),
    ),
  );
  expect(told.at(-1)).toMatchObject({
    reason: 'preview',
    sources: [{ source: 'preview', names: 'v2', verdict: 'won' }],
  });
  const { entries } = (await scene.gateway.admin.call('GET', '/v1/audit')).json<{ entries: AuditEntry[] }>();
  expect(entries[0]).toMatchObject({
    verb: 'preview',
    version: 'v2',
    outcome: 'done',
    detail: { preview: made.id, until: made.until, scope: 'browser' },
  });
  await waitFor(() => events.seen.some(({ type }) => type === 'preview'), { what: 'the event' });
  events.stop();
  const state = await readFile(join(scene.gateway.stateDir, 'state.json'), 'utf8');
  const metrics = (await scene.gateway.admin.call('GET', '/metrics')).text();
  const all = JSON.stringify([
    lines,
    told,
    entries,
    events.seen,
    await scene.gateway.admin.status(),
    state,
    metrics,
  ]);
  expect(all).not.toContain(secret);
  expect(all).not.toContain(secret.split('~').at(-1)!);
});

describe('lockstep preview', () => {
  const lockstep = async (line: string) => {
    const env = { LOCKSTEP_ADMIN: scene.gateway.admin.url };
    const { terminal, ran } = fakeTerminal({ env });
    return { code: await run(line.split(' '), terminal), ran };
  };

  test('prints a link that works, on a line of its own', async () => {
    const { code, ran } = await lockstep(`preview v2 --for 90m --url ${scene.gateway.url}/x --to /cart`);
    expect(code).toBe(0);
    const link = ran.out.split('\n').find((line) => line.startsWith('http'))!;
    expect(ran.out).toContain('(1h 29m)');
    const answer = await visitor().get(link);
    expect([answer.status, answer.headers.location]).toEqual([303, '/cart']);
    expect(answer.setCookies[0]).toContain('Max-Age=5400');
  });

  test('--tab prints a header that works', async () => {
    const { ran } = await lockstep('preview v2 --tab');
    const [name, value] = ran.out
      .split('\n')
      .find((line) => line.startsWith('x-lockstep-preview'))!
      .split(': ');
    const answer = await httpRequest(scene.gateway.url, { headers: { [name!]: value! } });
    expect(answer.headers['x-lockstep-version']).toBe('v2');
  });

  test('--end takes all of them back', async () => {
    const guest = visitor();
    await guest.get(linkOf(await open()));
    const { code, ran } = await lockstep('preview v2 --end');
    expect([code, ran.out]).toEqual([0, 'The previews of v2 have ended.\n']);
    expect(await guest.version('/')).toBe('v1');
  });

  test.each(['preview v2 --url ftp://x', 'preview v2 --tab --browser', 'preview'])(
    '%s is bad usage',
    async (line) => {
      expect((await lockstep(line)).code).toBe(2);
    },
  );
});
