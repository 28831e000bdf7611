// M04: whatever path, form or header a client of the data port thinks of, it reaches an application or is refused; the
// admin API is another listener, and nothing routes there.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

let scene: TwoVersions;
beforeAll(async () => {
  scene = await startTwoVersions();
});
afterAll(() => scene.stop());

/** What the application must see; null: nothing, the gateway refuses it, with `status` (400). */
const rows: { name: string; target: string; headers?: string; sees: string | null; status?: number }[] = [
  ...['/v1/status', '//v1/status', '/..;/admin', '/..;/v1/status', '/./v1/status', '/a/../v1/status'],
  ...['/%2e%2e/v1/status', '/%2e%2e%2fv1/status', '/v1%2fstatus', '/metrics', '/readyz', '/openapi.json'],
  ...['/v1/status;x=1', '/V1/STATUS', '/%76%31/status', '/v1/explain'],
].map((target) => ({ name: target, target, sees: target }) as (typeof rows)[number]);
rows.push(
  // Own paths are the gateway's, and there is none of the admin API's among them.
  ...['/.lockstep/../v1/status', '/.lockstep/v1/status', '/.lockstep/..%2fv1/status', '/.lockstep'].map(
    (target) => ({ name: target, target, sees: null, status: 404 }),
  ),
  { name: 'a path with a fragment', target: '/v1/status#x', sees: null },
  { name: 'a path with a back-slash', target: '\\v1\\status', sees: null },
  { name: 'X-Original-URL', target: '/shop', headers: 'X-Original-URL: /v1/status\r\n', sees: '/shop' },
  { name: 'X-Rewrite-URL', target: '/shop', headers: 'X-Rewrite-URL: /v1/status\r\n', sees: '/shop' },
  { name: 'X-Forwarded-Prefix', target: '/shop', headers: 'X-Forwarded-Prefix: /v1\r\n', sees: '/shop' },
);

async function ask(target: string, host: string, headers: string): Promise<{ status: number; body: string }> {
  const client = await rawClient(scene.gateway);
  try {
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}Connection: close\r\n\r\n`);
    const { status, body } = await client.finalAnswer('GET');
    return { status, body: body.toString() };
  } finally {
    client.close();
  }
}

/** Paths that the application was asked for since. */
function since(before: number): readonly string[] {
  return scene.v1.requests.slice(before).map(({ url }) => url);
}

test.each(rows)(
  'M04: $name goes to the application as it is, or nowhere',
  async ({ target, headers = '', sees, status = 400 }) => {
    const before = scene.v1.requests.length;
    const answer = await ask(target, 'shop.example', headers);
    expect(since(before)).toEqual(sees === null ? [] : [sees]);
    expect(answer.status).toBe(sees === null ? status : 200);
    expect(answer.body).not.toMatch(/"epoch"|lockstep_epoch|"openapi"|"unauthorized"/);
  },
);

test('M04: an absolute-form target and a Host that name the admin API lead to the application', async () => {
  const admin = new URL(scene.gateway.admin.url).host;
  for (const target of [`http://${admin}/v1/status`, '/v1/status']) {
    const before = scene.v1.requests.length;
    expect((await ask(target, admin, '')).body).not.toContain('"epoch"');
    expect(since(before)).toEqual(['/v1/status']);
  }
});

test('M04: no upgrade to another protocol is a way round', async () => {
  const before = scene.v1.requests.length;
  const h2c = 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  const answer = await ask('/v1/status', 'shop.example', h2c);
  expect([answer.status, since(before)]).toEqual([200, ['/v1/status']]);
  const seen = scene.v1.requests.at(-1)!.headers;
  expect([seen.upgrade, seen['http2-settings']]).toEqual([undefined, undefined]);
});
