// A client that ends its side behind its last request still gets the answer, whether that request has a body or not, and
// whether a connection to the upstream is open already or not.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

let scene: TwoVersions;
beforeEach(async () => {
  scene = await startTwoVersions();
});
afterEach(() => scene?.stop());

test.each([
  { name: 'a GET', request: 'GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n' },
  { name: 'a POST', request: 'POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab' },
  {
    name: 'a chunked POST',
    request: 'POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
  },
])('$name with an end behind it is answered', async ({ request }) => {
  for (const pool of ['empty', 'warm']) {
    const client = await rawClient(scene.gateway);
    void client.send(request);
    client.halfClose();
    expect((await client.answer()).status, `pool ${pool}`).toBe(200);
    expect(await client.waitForEnd(), `pool ${pool}`).toBe('fin');
  }
});
