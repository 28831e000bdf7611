// P1: while a request is held for its version, what others send cannot change it: it goes up as it came. A malformed request
// line of another client once became the method and target of the request that waited.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

let scene: TwoVersions;
beforeAll(async () => {
  scene = await startTwoVersions();
});
afterAll(() => scene?.stop());

test.each([
  { name: 'a version nobody speaks', line: 'DELETE /api/everything HTTP/2.0', status: 505 },
  { name: 'a broken request line', line: 'DELETE /api/everything HTTP/1.1 x', status: 400 },
  { name: 'no target', line: 'DELETE  HTTP/1.1', status: 400 },
  { name: 'a broken field', line: 'DELETE /api/everything HTTP/1.1\r\nBad Name: 1', status: 400 },
  { name: 'a dead pin', line: 'DELETE /api/everything HTTP/1.1', status: 409 },
])('a held request is not touched by $name', async ({ line, status }) => {
  const isDown = async (): Promise<boolean> =>
    (await scene.gateway.admin.version('v1')).upstreams[0]!.health === 'down';
  await scene.v1.kill();
  await waitFor(isDown, { what: 'v1 to be down' });
  const client = await rawClient(scene.gateway);
  const cookie = (version: string): string => `Cookie: lockstep=${pinOf({ version })}\r\n`;
  await client.send(`GET /api/mine HTTP/1.1\r\nHost: a\r\n${cookie('v1')}\r\n`);
  // A whole round trip to the same process: by now the request is held.
  await scene.gateway.admin.status();
  const other = await rawClient(scene.gateway);
  await other.send(`${line}\r\nHost: a\r\n${cookie('v2')}\r\n`);
  expect((await other.answer('DELETE')).status).toBe(status);
  await scene.v1.restart();
  const answer = await client.answer();
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    method: 'GET',
    url: '/api/mine',
    version: 'v1',
  });
  client.close();
  other.close();
});
