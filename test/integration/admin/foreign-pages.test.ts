import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { ask, askRaw } from './http.ts';

let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active' })]));
  admin = await startAdmin(control);
});
afterEach(() => admin.close());

const withHost = (port: number, host: string, method = 'GET') =>
  askRaw(port, `${method} /v1/status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
const drain = (headers: Record<string, string>, body?: unknown) =>
  ask(`${admin.url}/v1/versions/v1/drain`, { method: 'POST', headers, body });

describe('M02: pages of other sites change nothing', () => {
  const OTHER_SITE: { name: string; headers: Record<string, string> }[] = [
    { name: 'Origin of another site', headers: { origin: 'https://evil.example' } },
    { name: 'Origin null', headers: { origin: 'null' } },
    { name: 'Origin of another port', headers: { origin: 'http://127.0.0.1:1' } },
    { name: 'Sec-Fetch-Site cross-site', headers: { 'sec-fetch-site': 'cross-site' } },
    { name: 'Sec-Fetch-Site same-site', headers: { 'sec-fetch-site': 'same-site' } },
  ];
  test.each(OTHER_SITE)('$name is refused', async ({ headers }) => {
    expect(await drain(headers)).toMatchObject({ status: 403, json: { code: 'cross-site' } });
    expect(control.asked).toEqual([]);
  });

  test('a page of the same origin, a typed address and a program without these fields are not', async () => {
    const own: Record<string, string>[] = [
      {},
      { origin: admin.url, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ];
    for (const headers of own) expect((await drain(headers)).status).toBe(200);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'garbage',
  ])('a body of type %s is a 415', async (type) => {
    const answer = await drain({ 'content-type': type }, '{}');
    expect(answer).toMatchObject({ status: 415, json: { code: 'not-json' } });
    expect(control.asked).toEqual([]);
  });

  test('a body without a type is a 415', async () => {
    const answer = await askRaw(
      admin.port,
      'POST /v1/rollback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 415 .*"code":"not-json"/s);
  });

  test('answers allow no other origin to read them', async () => {
    const { headers } = await ask(`${admin.url}/v1/status`, { headers: { origin: 'https://evil.example' } });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('M03: a rebound name is not served', () => {
  test.each([
    'evil.example',
    'evil.example:9090',
    'localhost.evil.example',
    'localhost@evil.example',
    '127.0.0.1.evil.example',
    '192.0.2.7',
    '0.0.0.0',
    '127.0.0.1:x',
    '[::1',
    '',
  ])('Host %j is a 421', async (host) => {
    expect(await withHost(admin.port, host)).toMatch(/^HTTP\/1\.1 421 .*"code":"wrong-host"/s);
  });

  test.each(['localhost', 'LOCALHOST:19090', '127.0.0.1', '127.1.2.3:80', '[::1]:9090', '[::1]'])(
    'Host %s is served',
    async (host) => {
      expect(await withHost(admin.port, host)).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  test('it holds for what needs no token, and for paths that are not there', async () => {
    const headers = { host: 'evil.example' };
    expect((await ask(`${admin.url}/healthz`, { headers })).status).toBe(421);
    expect((await ask(`${admin.url}/nothing`, { headers })).status).toBe(421);
  });

  test('a request without Host is a 400', async () => {
    const answer = await askRaw(admin.port, 'GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*"code":"malformed"/s);
  });

  test('on all addresses, where there are tokens, every well-formed name is served', async () => {
    const open = await startAdmin(control, {
      host: '0.0.0.0',
      tokens: [{ name: 'ci', token: 'a-token', role: 'operator' }],
    });
    const answers = await Promise.all([withHost(open.port, 'gateway.internal'), withHost(open.port, 'a b')]);
    await open.close();
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['401', '421']);
  });
});
