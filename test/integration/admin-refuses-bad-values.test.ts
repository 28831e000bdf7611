// M05 and M07: what the admin API must not take. Every refusal leaves the deployment and the traffic as they were.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { freePort } from '../kit/free-port.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

let scene: TwoVersions;
let before: Pick<Status, 'epoch' | 'active'>;
const picture = async (): Promise<Pick<Status, 'epoch' | 'active'> & { ids: string[] }> => {
  const { epoch, active, versions } = await scene.gateway.admin.status();
  return { epoch, active, ids: versions.map(({ id, state }) => `${id} ${state}`) };
};
beforeAll(async () => {
  scene = await startTwoVersions();
});
afterAll(() => scene?.stop());
beforeEach(async () => {
  before = await picture();
});
afterEach(async () => {
  expect(await picture()).toEqual(before);
  expect((await httpRequest(`${scene.gateway.url}/api/x`)).headers['x-app-version']).toBe('v1');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

describe('M05: a body that is not what was asked for', () => {
  const put = '/v1/versions/v3';
  test.each([
    {
      name: '10 MB',
      method: 'PUT',
      path: put,
      body: `{"upstreams":["${'a'.repeat(10_000_000)}"]}`,
      want: [413],
    },
    {
      name: 'a depth of 10,000',
      method: 'PUT',
      path: put,
      body: '['.repeat(10_000) + ']'.repeat(10_000),
      want: [400],
    },
    {
      name: 'the same key twice',
      method: 'PUT',
      path: put,
      body: '{"upstreams":["http://127.0.0.1:1"],"upstreams":["http://127.0.0.1:2"]}',
      want: [400],
    },
    {
      name: '__proto__',
      method: 'PUT',
      path: put,
      body: '{"upstreams":["http://127.0.0.1:1"],"__proto__":{"polluted":1}}',
      want: [400],
    },
    {
      name: 'constructor.prototype',
      method: 'PUT',
      path: put,
      body: '{"upstreams":["http://127.0.0.1:1"],"constructor":{"prototype":{"polluted":1}}}',
      want: [400],
    },
    { name: 'NaN', method: 'POST', path: '/v1/versions/v2/promote', body: '{"weight":NaN}', want: [400] },
    { name: '1e309', method: 'POST', path: '/v1/versions/v2/promote', body: '{"weight":1e309}', want: [400] },
    {
      name: 'a text for a number',
      method: 'POST',
      path: '/v1/versions/v2/promote',
      body: '{"weight":"5"}',
      want: [400],
    },
    { name: 'a list', method: 'POST', path: '/v1/versions/v2/promote', body: '[]', want: [400] },
    { name: 'null', method: 'POST', path: '/v1/versions/v2/promote', body: 'null', want: [400] },
    { name: 'junk behind it', method: 'POST', path: '/v1/versions/v2/promote', body: '{} x', want: [400] },
    {
      name: 'an unknown key',
      method: 'POST',
      path: '/v1/versions/v2/promote',
      body: '{"wieght":5}',
      want: [400],
    },
    {
      name: 'no JSON at all',
      method: 'POST',
      path: '/v1/versions/v2/promote',
      body: 'weight=5',
      want: [400],
    },
    {
      name: 'good and bad upstreams together',
      method: 'PUT',
      path: put,
      body: '{"upstreams":["http://127.0.0.1:1","ftp://x"]}',
      want: [400],
    },
  ])('$name is refused, and nothing is applied', async ({ method, path, body, want }) => {
    const answer = await scene.gateway.admin.call(method, path, body).catch((error: Error) => error);
    // A client that still sends when it is refused may find its connection reset instead.
    if (answer instanceof Error) {
      expect([want, answer.message]).toEqual([
        [413],
        expect.stringMatching(/ECONNRESET|EPIPE|socket hang up/),
      ]);
      return;
    }
    expect(want).toContain(answer.status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json<{ code: string }>().code).toMatch(/^[a-z-]+$/);
  });
});

describe('M07: a promote that must not happen', () => {
  test.each([
    { name: 'of an unknown version', id: 'v99', body: {}, want: 404 },
    { name: 'with a weight of 101', id: 'v2', body: { weight: 101 }, want: 400 },
    { name: 'with a weight of -1', id: 'v2', body: { weight: -1 }, want: 400 },
    { name: 'with a weight of 0.1', id: 'v2', body: { weight: 0.1 }, want: 400 },
  ])('$name is a $want', async ({ id, body, want }) => {
    const answer = await scene.gateway.admin.call('POST', `/v1/versions/${id}/promote`, body);
    expect(answer.status).toBe(want);
  });

  test('of a version without a healthy upstream is a 409', async () => {
    await scene.gateway.admin.put('dead', [`http://127.0.0.1:${await freePort()}`]);
    before = await picture();
    const answer = await scene.gateway.admin.call('POST', '/v1/versions/dead/promote', {});
    expect(answer.status).toBe(409);
    expect(answer.json<{ code: string; detail: string }>()).toMatchObject({
      code: expect.stringMatching(/health/),
    });
  });
});
