import { afterEach, beforeEach, expect, test } from 'vitest';
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

const promote = (body: string, headers: Record<string, string> = {}) =>
  ask(`${admin.url}/v1/versions/v1/promote`, { method: 'POST', body, headers });

test.each([
  { name: 'trailing junk', given: '{"weight":5}x', code: 'bad-json' },
  { name: 'NaN', given: '{"weight":NaN}', code: 'bad-json' },
  { name: 'half an object', given: '{"weight":5', code: 'bad-json' },
  { name: 'a repeated key', given: '{"weight":5,"weight":100}', code: 'bad-json' },
  { name: 'a repeated key, escaped', given: '{"weight":5,"\\u0077eight":100}', code: 'bad-json' },
  { name: '__proto__', given: '{"__proto__":{"weight":5}}', code: 'bad-json' },
  { name: 'constructor.prototype', given: '{"constructor":{"prototype":{"weight":5}}}', code: 'bad-value' },
  { name: 'a depth of 10,000', given: '['.repeat(10_000) + ']'.repeat(10_000), code: 'bad-json' },
])('M05: $name is a 400 $code and changes nothing', async ({ given, code }) => {
  expect(await promote(given)).toMatchObject({ status: 400, json: { code } });
  expect(control.asked).toEqual([]);
  expect(({} as { weight?: number }).weight).toBeUndefined();
});

test('M05: an answer about bad JSON does not repeat it', async () => {
  expect((await promote('{"token": s3cret')).text).not.toContain('s3cret');
});

test('M05: a body of 10 MB is a 413, announced or not', async () => {
  const announced = await askRaw(
    admin.port,
    'POST /v1/rollback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
      'Content-Length: 10485760\r\n\r\n{',
  );
  expect(announced).toMatch(/^HTTP\/1\.1 413 .*"code":"body-too-large"/s);
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
  const chunked = await askRaw(
    admin.port,
    'POST /v1/rollback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
  );
  expect(chunked).toMatch(/^HTTP\/1\.1 413 .*"code":"body-too-large"/s);
  expect(control.asked).toEqual([]);
});

test('a JSON type without a body is no body', async () => {
  expect((await promote('')).status).toBe(200);
  expect((await promote('{}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
});

test.each([
  { name: 'no HTTP', given: 'HELLO\r\n\r\n', want: /^HTTP\/1\.1 400 .*problem\+json.*"code":"malformed"/s },
  {
    name: 'both lengths',
    given:
      'POST /v1/rollback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    want: /^HTTP\/1\.1 400 .*"code":"malformed"/s,
  },
  {
    name: 'a head of 20 KiB',
    given: `GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_480)}\r\n\r\n`,
    want: /^HTTP\/1\.1 431 .*"code":"head-too-large"/s,
  },
])('$name is answered with a problem', async ({ given, want }) => {
  expect(await askRaw(admin.port, given)).toMatch(want);
});
