import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { ask } from './http.ts';

const OPERATOR = 'operator-token-0123456789abcdef';
const VIEWER = 'viewer-token-0123456789abcdef';
const tokens = [
  { name: 'ci', token: OPERATOR, role: 'operator' },
  { name: 'grafana', token: VIEWER, role: 'viewer' },
] as const;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active' })]));
  admin = await startAdmin(control, { tokens });
});
afterEach(() => admin.close());

describe('tokens', () => {
  test('M01: missing, wrong, short and long tokens get one and the same 401', async () => {
    const given: Record<string, string>[] = [
      {},
      bearer('wrong-token-0123456789abcdefghi'),
      bearer(OPERATOR.slice(0, -1)),
      bearer(`${OPERATOR}0`),
      bearer(''),
      { authorization: OPERATOR },
      { authorization: `Basic ${OPERATOR}` },
      { authorization: `Bearer  ${OPERATOR}` },
      { cookie: `token=${OPERATOR}` },
    ];
    const answers = await Promise.all(given.map((headers) => ask(`${admin.url}/v1/status`, { headers })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, json: { code: 'unauthorized' } });
    expect(answers[0]?.headers['www-authenticate']).toBe('Bearer realm="lockstep"');
  });

  test.each(['/v1/status', '/v1/audit', '/v1/events', '/metrics', '/v1/nothing', '/'])(
    'M01: %s is not answered without a token',
    async (path) => {
      expect((await ask(admin.url + path)).status).toBe(401);
    },
  );

  test.each(['/healthz', '/readyz'])('%s is answered without a token', async (path) => {
    expect((await ask(admin.url + path)).status).toBe(200);
  });

  test('M01: many wrong tokens are slowed down, and the owner is not locked out', async () => {
    const statuses = new Map<number, number>();
    for (let round = 0; round < 20; round++) {
      const tries = Array.from({ length: 25 }, (_, n) =>
        ask(`${admin.url}/v1/status`, { headers: bearer(`guess-${round}-${n}`) }),
      );
      for (const { status } of await Promise.all(tries))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses.keys()].sort()).toEqual([401, 429]);
    expect(statuses.get(429)).toBeGreaterThan(400);
    expect((await ask(`${admin.url}/v1/status`, { headers: bearer(OPERATOR) })).status).toBe(200);
  });

  test('M01: what a token has open ends when it is taken back; what others have goes on', async () => {
    const open = (token: string) =>
      request(`${admin.url}/v1/events`, { headers: bearer(token), signal: AbortSignal.timeout(20_000) });
    const [taken, kept] = [await open(VIEWER), await open(OPERATOR)];
    const ended = taken.body.text();
    control.onWait = (_id, _timeoutMs, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () =>
          resolve({ outcome: 'timed-out', detail: '', version: control.now.versions[0]! }),
        ),
      );
    const waiting = ask(`${admin.url}/v1/versions/v1/wait?for=healthy`, { headers: bearer(VIEWER) });
    await vi.waitUntil(() => control.waits.length === 1 && control.listeners() === 2);
    admin.setTokens([tokens[0]]);
    expect(await ended).toContain('retry:');
    expect(await waiting).toMatchObject({ status: 401, json: { code: 'unauthorized' } });
    expect(control.listeners()).toBe(1);
    control.emit('promoted', 'v1');
    for await (const text of kept.body) if (String(text).includes('promoted')) break;
    // The same token under another name is another caller's.
    const renamed = await open(OPERATOR);
    admin.setTokens([{ ...tokens[0], name: 'night' }]);
    await renamed.body.text();
  });

  test('a change is made in the name of its token', async () => {
    await ask(`${admin.url}/v1/versions/v1/drain`, { method: 'POST', headers: bearer(OPERATOR) });
    expect(control.asked[0]?.options.by).toBe('ci');
  });

  test('a viewer reads everything and changes nothing', async () => {
    const headers = bearer(VIEWER);
    for (const path of ['/v1/status', '/v1/audit', '/metrics', '/v1/versions/v1/wait?for=healthy']) {
      expect((await ask(admin.url + path, { headers })).status).toBe(200);
    }
    const changes = [
      ['PUT', '/v1/versions/v2'],
      ['DELETE', '/v1/versions/v1'],
      ['PATCH', '/v1/versions/v1/upstreams/127.0.0.1:9101'],
      ['POST', '/v1/versions/v1/promote?dryRun=true'],
      ['POST', '/v1/rollback'],
    ] as const;
    for (const [method, path] of changes) {
      const answer = await ask(admin.url + path, { method, headers });
      expect(answer).toMatchObject({ status: 403, json: { code: 'viewers-only-read' } });
    }
    expect(control.asked).toEqual([]);
  });

  test('M09: a token stands in no log, whatever it was sent as', async () => {
    control.onChange = () => {
      throw new Error('broken');
    };
    const headers = bearer(OPERATOR);
    await ask(`${admin.url}/v1/versions/v1/drain`, { method: 'POST', headers });
    const inUrl = await ask(`${admin.url}/v1/status?token=${OPERATOR}`);
    const inQuery = await ask(`${admin.url}/v1/status?token=${OPERATOR}`, { headers });
    expect([inUrl.status, inQuery.status]).toEqual([401, 400]);
    expect(admin.logged()).toContain('failed on a request');
    expect(admin.logged()).toContain('without a valid token');
    for (const text of [admin.logged(), inUrl.text, inQuery.text]) expect(text).not.toContain(OPERATOR);
  });
});

describe('without tokens', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1', 'gateway.internal', '127.0.0.1.example'])(
    'listening on %s is refused with what to do',
    async (host) => {
      await expect(startAdmin(control, { host, tokens: [] })).rejects.toThrow(
        /no tokens.*loopback only.*Set admin\.tokens/s,
      );
    },
  );

  test('the caller on loopback is called local', async () => {
    const open = await startAdmin(control);
    await ask(`${open.url}/v1/versions/v1/drain`, { method: 'POST' });
    await open.close();
    expect(control.asked[0]?.options.by).toBe('local');
  });

  test('an empty token is refused: it would let everyone in', async () => {
    const empty = [{ name: 'ci', token: '', role: 'operator' }] as const;
    await expect(startAdmin(control, { tokens: empty })).rejects.toThrow('empty');
  });
});
