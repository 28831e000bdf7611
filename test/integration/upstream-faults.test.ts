// T06 and T07: an upstream resets, ends or falls silent before its answer's head, in it, or in the body. What has not
// begun becomes a 502 or 504; what has begun is visibly cut; the request is counted out and the next one is served.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { type After, type RawUpstream, sendThen, startRawUpstream } from '../kit/raw-upstream.ts';
import { readRequest } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';

const FIRST_BYTE_MS = 400;
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
/** After its head with a length of 10, five bytes; before it, nothing; in it, half a line. */
const FAULTS: Readonly<Record<string, { readonly bytes: string; readonly after: After }>> = {
  '/reset-before': { bytes: '', after: 'rst' },
  '/end-before': { bytes: '', after: 'close' },
  '/silent': { bytes: '', after: 'keep' },
  '/reset-in-head': { bytes: 'HTTP/1.1 200 OK\r\nX-Half: ', after: 'rst' },
  '/end-in-head': { bytes: 'HTTP/1.1 200 OK\r\nX-Half: ', after: 'close' },
  '/silent-in-head': { bytes: 'HTTP/1.1 200 OK\r\nX-Half: ', after: 'keep' },
  '/reset-in-body': { bytes: `${HEAD}hello`, after: 'rst' },
  '/end-in-body': { bytes: `${HEAD}hello`, after: 'close' },
  '/reset-in-chunks': { bytes: CHUNKED, after: 'rst' },
  '/end-in-chunks': { bytes: CHUNKED, after: 'close' },
};

describe('an upstream that fails', () => {
  let upstream: RawUpstream;
  let gateway: TestGateway;
  beforeAll(async () => {
    upstream = await startRawUpstream(() => ({
      onBytes: ({ socket, received }) => {
        const reading = readRequest(received());
        if (reading.state !== 'complete') return;
        const { target } = reading.message;
        const fault = FAULTS[target] ?? {
          bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
          after: 'close',
        };
        sendThen(socket, fault.bytes, fault.after);
      },
    }));
    gateway = await startGateway({
      versions: { v1: [upstream.url] },
      active: 'v1',
      limits: { firstByte: `${FIRST_BYTE_MS}ms` },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.stop();
  });

  const expectFreedAndServing = async (): Promise<void> => {
    await waitFor(async () => (await gateway.admin.version('v1')).upstreams[0]!.inFlight === 0, {
      what: 'the request to be counted out',
    });
    expect((await rawRequest(gateway, [], { target: '/ordinary' })).status).toBe(200);
  };

  test.each([
    { name: 'T06: a reset before the head', target: '/reset-before', status: 502, code: 'upstream-reset' },
    { name: 'T06: an end before the head', target: '/end-before', status: 502, code: 'upstream-reset' },
    { name: 'T06: a reset in the head', target: '/reset-in-head', status: 502, code: 'upstream-invalid' },
    { name: 'T06: an end in the head', target: '/end-in-head', status: 502, code: 'upstream-invalid' },
    { name: 'T06: silence in the head', target: '/silent-in-head', status: 504, code: 'upstream-timeout' },
    { name: 'T07: silence', target: '/silent', status: 504, code: 'upstream-timeout' },
  ])('$name is answered with a $status', async ({ target, status, code }) => {
    for (const method of ['GET', 'POST']) {
      const started = performance.now();
      const answer = await rawRequest(gateway, [], { target, method, body: method === 'POST' ? 'x' : '' });
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')], method).toEqual([status, code]);
      if (status === 504) expect(performance.now() - started).toBeGreaterThan(FIRST_BYTE_MS * 0.9);
    }
    await expectFreedAndServing();
  });

  test.each([
    { name: 'a reset in the body', target: '/reset-in-body' },
    { name: 'an end in the body', target: '/end-in-body' },
    { name: 'a reset between chunks', target: '/reset-in-chunks' },
    { name: 'an end between chunks', target: '/end-in-chunks' },
  ])('T06: $name is visible to the client', async ({ target }) => {
    const client = await rawClient(gateway);
    await client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.waitForEnd();
    const text = client.received().toString('latin1');
    if (text !== '') {
      // A head that promises more than came, or a refusal in its place: never a clean end.
      expect(text).toMatch(/^HTTP\/1\.1 (200|502) /);
      if (text.startsWith('HTTP/1.1 200 '))
        await expect(client.answer()).rejects.toThrow('before a whole answer');
    }
    await expectFreedAndServing();
  });
});
