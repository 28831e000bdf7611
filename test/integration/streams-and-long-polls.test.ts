// Event streams and long polls: the first octet passes at once, in both directions, and when the client goes, the
// application sees it in under 100 ms. Each time is the middle one of nine: a machine that is busy with something else
// delays one or two of them, a gateway that gathers or polls delays them all.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor, within } from '../kit/wait-for.ts';

const SOON_MS = 100;
const TRIES = 9;

interface Arrived {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

describe('a long answer', () => {
  let scene: TwoVersions;
  const arrived: Arrived[] = [];
  beforeAll(async () => {
    // The test itself answers what is asked below /open.
    scene = await startTwoVersions({}, (request, response) => {
      if (request.url?.startsWith('/open') !== true) return false;
      arrived.push({ request, response });
      return true;
    });
  });
  afterAll(() => scene?.stop());

  const ask = async (text: string): Promise<{ client: RawClient } & Arrived> => {
    const client = await rawClient(scene.gateway);
    await client.send(text);
    const [one] = await waitFor(() => (arrived.length > 0 ? arrived.splice(0) : null), {
      what: 'the request to arrive',
      everyMs: 1,
    });
    return { client, ...one! };
  };
  const get = (target: string, version = '1.1'): string => `GET ${target} HTTP/${version}\r\nHost: a\r\n\r\n`;
  const isCountedOut = (): Promise<unknown> =>
    waitFor(async () => (await scene.gateway.admin.version('v1')).inFlight === 0, {
      what: 'no request under way',
    });

  test.each([
    { what: 'an event', fields: { 'content-type': 'text/event-stream' }, body: 'data: 1\n\n' },
    { what: 'one octet of no known length', fields: { 'content-type': 'text/plain' }, body: 'x' },
    { what: 'one octet of many', fields: { 'content-length': '1000' }, body: 'x' },
    { what: 'a head alone', fields: { 'content-type': 'text/event-stream' }, body: '' },
  ])('$what is with the client at once', async ({ fields, body }) => {
    const took = await middleOf(async () => {
      const { client, response } = await ask(get('/open'));
      const started = performance.now();
      response.writeHead(200, fields);
      if (body === '') response.flushHeaders();
      else response.write(body);
      const came = body === '' ? '\r\n\r\n' : body;
      while (!client.received().includes(came)) await once(client.socket, 'data');
      const ms = performance.now() - started;
      client.reset();
      return ms;
    });
    expect(took).toBeLessThan(SOON_MS);
    await isCountedOut();
  });

  test('every event is with the client before the next one is sent', async () => {
    const { client, response } = await ask(get('/open'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let n = 0; n < 200; n++) {
      response.write(`data: ${n}.\n\n`);
      await waitFor(() => client.received().includes(`data: ${n}.\n\n`), { what: `event ${n}`, everyMs: 1 });
    }
    response.end();
    const answer = await client.finalAnswer();
    expect(answer.body.toString().split('\n\n').length).toBe(201);
    client.close();
  });

  test('the first octets of an upload are with the application before the others are sent', async () => {
    const { client, request, response } = await ask(
      'POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (const part of ['one', 'two', 'three']) {
      const came = once(request, 'data');
      await client.send(`${part.length.toString(16)}\r\n${part}\r\n`);
      expect(String((await within(came, { what: part }))[0])).toBe(part);
    }
    await client.send('0\r\n\r\n');
    await within(once(request, 'end'), { what: 'the end of the upload' });
    response.end('ok');
    expect((await client.finalAnswer()).body.toString()).toBe('ok');
    client.close();
  });

  const LEAVES: readonly { how: string; leave: (client: RawClient) => void }[] = [
    { how: 'a FIN', leave: (client) => client.close() },
    { how: 'a RST', leave: (client) => client.reset() },
  ];
  const POST = 'POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
  test.each(
    LEAVES.flatMap((row) => [
      { ...row, what: 'a long poll', text: get('/open'), begin: null },
      { ...row, what: 'a long poll by POST', text: POST, begin: null },
      { ...row, what: 'an event stream', text: get('/open'), begin: 'text/event-stream' },
      { ...row, what: 'a download', text: get('/open'), begin: 'text/plain' },
    ]),
  )('that the client of $what has gone with $how is with the application at once', async (row) => {
    const took = await middleOf(async () => {
      const { client, request, response } = await ask(row.text);
      request.resume();
      if (row.begin !== null) {
        response.writeHead(200, { 'content-type': row.begin });
        response.write('begun');
        await waitFor(() => client.received().includes('begun'), { what: 'the beginning', everyMs: 1 });
      }
      const seen = once(response, 'close');
      const started = performance.now();
      row.leave(client);
      await within(seen, { what: 'the application to see it' });
      return performance.now() - started;
    });
    expect(took).toBeLessThan(SOON_MS);
    await isCountedOut();
  });

  test('an event stream is a stream of its version until it ends', async () => {
    const streams = async (): Promise<number> => (await scene.gateway.admin.version('v1')).sessions.streams;
    const { client, response } = await ask(get('/open'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    await waitFor(async () => (await streams()) === 1, { what: 'it to be counted' });
    response.end();
    await client.finalAnswer();
    await waitFor(async () => (await streams()) === 0, { what: 'it to be counted out' });
    client.close();
  });

  test('an event stream whose application breaks off is visibly cut', async () => {
    const { client, response } = await ask(get('/open'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    await waitFor(() => client.received().includes('data: 1'), { what: 'an event' });
    response.socket?.resetAndDestroy();
    await client.waitForEnd();
    await expect(client.finalAnswer()).rejects.toThrow('before a whole answer');
    await isCountedOut();
  });

  test('an event stream reaches a client of HTTP/1.0 as it comes', async () => {
    const { client, response } = await ask(get('/open', '1.0'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      response.write(event);
      await waitFor(() => client.received().includes(event), { what: event });
    }
    response.end();
    await client.waitForEnd();
    expect((await client.finalAnswer()).body.toString()).toBe('data: 1\n\ndata: 2\n\n');
  });
});

async function middleOf(measure: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let n = 0; n < TRIES; n++) all.push(await measure());
  return all.sort((a, b) => a - b)[TRIES >> 1]!;
}
