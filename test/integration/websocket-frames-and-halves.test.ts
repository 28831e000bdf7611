// WebSockets on raw sockets: what comes in one packet with the handshake, one side that has ended while the other goes on,
// and the close frame of the gateway's own, which stands between two frames and never in one.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { type RawUpstream, silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor, within } from '../kit/wait-for.ts';

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const CLOSE_1012 = Buffer.from([0x88, 0x02, 0x03, 0xf4]);

describe('a WebSocket', () => {
  let server: Server;
  /** What is active when v1 is cut off. */
  let refuge: RawUpstream;
  let gateway: TestGateway;
  /** The application's side of the socket under test, and all that it read behind the handshake. */
  let application: Socket;
  let read: Buffer;
  let reply: Buffer;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    read = Buffer.alloc(0);
    reply = Buffer.from(SWITCHED);
    server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      let isSwitched = false;
      let bytes = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (part: Buffer) => {
        bytes = Buffer.concat([bytes, part]);
        const end = bytes.indexOf('\r\n\r\n');
        if (end === -1) return;
        if (!isSwitched) {
          isSwitched = true;
          application = socket;
          socket.write(reply);
        }
        read = bytes.subarray(end + 4);
      });
      // A health check connects and ends.
      socket.on('end', () => {
        if (!isSwitched) socket.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    refuge = await startRawUpstream(() => silent);
    gateway = await startGateway({ versions: { v1: [url], v2: [refuge.url] }, active: 'v1' });
    await gateway.admin.wait('v2', 'healthy');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    application?.destroy();
    await waitFor(async () => (await gateway.admin.version('v1')).sessions.streams === 0, {
      what: 'no stream to be counted any more',
    });
    await gateway.stop();
    await Promise.all([refuge.stop(), new Promise((resolve) => server.close(resolve))]);
  });

  const connect = async (early = ''): Promise<RawClient> => {
    const client = await rawClient(gateway);
    clients.push(client);
    await client.send(HANDSHAKE + early);
    expect((await client.finalAnswer()).status).toBe(101);
    return client;
  };
  const received = (client: RawClient, count: number): Promise<Buffer> =>
    waitFor(() => (client.rest().length >= count ? client.rest() : null), {
      what: `${count} octets`,
      everyMs: 2,
    });

  test('loses nothing that came in one packet with its handshake, or with the answer to it', async () => {
    reply = Buffer.concat([Buffer.from(SWITCHED), Buffer.from([0x81, 0x02, 0x68, 0x69])]);
    const client = await connect('\x81\x80\x00\x00\x00\x00');
    expect([...(await received(client, 4))]).toEqual([0x81, 0x02, 0x68, 0x69]);
    await waitFor(() => read.length === 6, { what: 'the early frame to arrive' });
  });

  test('whose client has ended its side goes on in the other direction until that ends, too', async () => {
    const client = await connect();
    await client.send('last words');
    const ended = once(application, 'end');
    client.halfClose();
    await within(ended, { what: 'the end to reach the application' });
    expect(read.toString()).toBe('last words');
    application.write('and the answer to them');
    expect((await received(client, 22)).toString()).toBe('and the answer to them');
    expect(client.ended()).toBe(null);
    application.end('.');
    expect(await client.waitForEnd()).toBe('fin');
    expect(client.rest().toString()).toBe('and the answer to them.');
  });

  test('whose application has ended its side goes on in the other direction until that ends, too', async () => {
    const client = await connect();
    application.end('last words');
    await client.waitForEnd();
    expect(client.rest().toString()).toBe('last words');
    client.socket.write('and the answer to them');
    await waitFor(() => read.toString() === 'and the answer to them', { what: 'the answer to arrive' });
    const ended = once(application, 'end');
    client.halfClose();
    await within(ended, { what: 'the end to reach the application' });
  });

  const cutOff = (): Promise<unknown> => gateway.admin.cutoff('v1', 'a test', 'v2');

  test('of a version that is cut off is closed with 1012 at once between two frames', async () => {
    const client = await connect();
    application.write(Buffer.from([0x81, 0x02, 0x68, 0x69]));
    await received(client, 4);
    await cutOff();
    expect((await received(client, 8)).subarray(4)).toEqual(CLOSE_1012);
    await client.waitForEnd();
  });

  test.each([
    { where: 'in its first octet', frame: [0x82, 0x03, 1, 2, 3], at: 1 },
    { where: 'in its length', frame: [0x82, 126, 0, 200, ...Array<number>(200).fill(7)], at: 3 },
    { where: 'in its payload', frame: [0x82, 126, 0, 200, ...Array<number>(200).fill(7)], at: 100 },
  ])(
    'that is cut off in the middle of a frame, $where, gets its end and then 1012',
    async ({ frame, at }) => {
      const client = await connect();
      const bytes = Buffer.from(frame);
      application.write(bytes.subarray(0, at));
      await received(client, at);
      await cutOff();
      application.write(bytes.subarray(at));
      expect(await received(client, bytes.length + 4)).toEqual(Buffer.concat([bytes, CLOSE_1012]));
      await client.waitForEnd();
    },
  );

  test('that is cut off in the middle of a frame that never ends is closed without a word', async () => {
    const client = await connect();
    application.write(Buffer.from([0x82, 0x03, 1]));
    await received(client, 3);
    await cutOff();
    await client.waitForEnd();
    expect(client.rest().length).toBe(3);
  });
});
