// Listeners that take PROXY headers, on every engine: who the client is then, wherever the header is split, and what becomes of
// connections that bring none, too much of one or too little.

import { hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Certificate, makeCertificate } from '../kit/certificate.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import {
  binaryHeader,
  FIRST_VERSION,
  lineHeader,
  SIGNATURE,
  secondVersion,
  tlv,
} from '../kit/proxy-headers.ts';
import { relayWithHeader } from '../kit/proxy-relays.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { needsTool } from '../kit/tools.ts';
import { ECHO_HASH, type RecordedRequest, startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine, onEveryParser } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const CLIENT = '192.0.2.7';
const LOCAL = binaryHeader({ command: 0x20, family: 0 });
const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;
const octets = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

let app: Upstream;
let scene: Scene;
const cleanUp: (() => void | Promise<void>)[] = [];
beforeAll(async () => {
  app = await startUpstream({ version: 'v1' });
});
afterAll(() => app.stop());
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
const begin = async (
  engine: Parameters<typeof startScene>[0],
  more: Partial<SceneSettings> = {},
): Promise<void> => {
  scene = await startScene(engine, {
    versions: { v1: [app.address] },
    proxyProtocol: ['127.0.0.1'],
    ...more,
  });
  cleanUp.push(() => scene.stop());
};
const clientOf = async (): Promise<RawClient> => {
  const client = await rawClient(scene);
  cleanUp.push(() => client.close());
  return client;
};
const seen = (): RecordedRequest => app.requests.at(-1)!;

onEveryEngine((engine) => {
  test('a trusted peer names its client, in one segment with the request', async () => {
    await begin(engine);
    const ipv6 = { client: '2001:db8::7', clientPort: 1, local: '::1', localPort: 2 };
    const rows: readonly (readonly [Buffer, string])[] = [
      [FIRST_VERSION, CLIENT],
      [lineHeader(ipv6), '2001:db8::7'],
      [Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1'],
      [secondVersion(), CLIENT],
      [secondVersion(tlv(0x05, Buffer.from('unique'))), CLIENT],
      [LOCAL, '127.0.0.1'],
    ];
    for (const [header, want] of rows) {
      const client = await clientOf();
      await client.send(octets(header, get('/api/who', 'X-Forwarded-For: 203.0.113.66')));
      expect((await client.answer()).status).toBe(200);
      expect(seen().headers['x-forwarded-for']).toBe(want);
    }
    await scene.settled();
    expect(scene.records.map(({ client }) => client).sort()).toEqual(rows.map(([, want]) => want).sort());
    expect(scene.faults).toEqual([]);
  });
});

onEveryParser((engine) => {
  describe('a PROXY header', () => {
    test.each([
      ['version 1', FIRST_VERSION],
      ['version 2', secondVersion(tlv(0x04, [1, 2, 3]))],
    ])('may be split at any octet: %s', async (_name, header) => {
      await begin(engine);
      const whole = octets(header, get('/api/split'));
      const askSplitAt = async (at: number): Promise<void> => {
        const client = await clientOf();
        await client.send(whole.subarray(0, at));
        await new Promise((resolve) => setTimeout(resolve, 5)); // apart on the wire
        await client.send(whole.subarray(at));
        expect((await client.answer()).status, `split at ${at}`).toBe(200);
        client.close();
      };
      const before = app.requestCount();
      await Promise.all(Array.from({ length: header.length + 6 }, (_, at) => askSplitAt(at + 1)));
      expect(app.requestCount() - before).toBe(header.length + 6);
      const forwarded = app.requests
        .slice(-header.length - 6)
        .map(({ headers }) => headers['x-forwarded-for']);
      expect(new Set(forwarded)).toEqual(new Set([CLIENT]));
    });

    test('may come octet by octet, and holds for every request of its connection', async () => {
      await begin(engine);
      const client = await clientOf();
      await client.sendByteByByte(octets(secondVersion(), get('/api/1')));
      expect((await client.answer()).status).toBe(200);
      await client.send(get('/api/2') + get('/api/3'));
      expect((await client.answer()).status).toBe(200);
      expect((await client.answer()).status).toBe(200);
      const three = app.requests.slice(-3);
      expect(three.map(({ url }) => url)).toEqual(['/api/1', '/api/2', '/api/3']);
      expect(three.map(({ headers }) => headers['x-forwarded-for'])).toEqual([CLIENT, CLIENT, CLIENT]);
    });

    test('may have a body and another request behind it at once', async () => {
      await begin(engine);
      const client = await clientOf();
      const body = 'x'.repeat(50_000);
      const post = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      await client.send(octets(FIRST_VERSION, post, get('/api/next')));
      const answer = await client.finalAnswer('POST');
      expect(valuesOf(answer, ECHO_HASH)).toEqual([hash('sha256', body)]);
      expect((await client.answer()).status).toBe(200);
    });

    test('comes before a WebSocket as well', async () => {
      await begin(engine);
      const client = await clientOf();
      const fields = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
      await client.send(octets(secondVersion(), get('/ws', ...fields, key)));
      await waitFor(() => client.received().includes('"v1"'), { what: 'the greeting' });
      client.reset();
      await waitFor(() => scene.records.length > 0, { what: 'its record' });
      expect(scene.records.at(-1)).toMatchObject({ client: CLIENT, status: 101 });
    });

    test('names whom trustedProxies are judged on', async () => {
      await begin(engine, { trustedProxies: [CLIENT] });
      const client = await clientOf();
      await client.send(octets(FIRST_VERSION, get('/api/chain', 'X-Forwarded-For: 203.0.113.66')));
      expect((await client.answer()).status).toBe(200);
      expect(seen().headers['x-forwarded-for']).toBe(`203.0.113.66, ${CLIENT}`);
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ client: '203.0.113.66' });
    });

    test('that tells of TLS at the client is believed in that as well', async () => {
      await begin(engine);
      const client = await clientOf();
      const navigation = ['Sec-Fetch-Dest: document', 'Sec-Fetch-Mode: navigate'];
      await client.send(octets(secondVersion(tlv(0x20, [1, 0, 0, 0, 0])), get('/', ...navigation)));
      const answer = await client.answer();
      expect(seen().headers['x-forwarded-proto']).toBe('https');
      expect(valuesOf(answer, 'set-cookie').join()).toMatch(
        /^lockstep=.*; HttpOnly; Secure; SameSite=None$/i,
      );
    });
  });

  describe('PROXY headers that are refused', () => {
    const closedUnanswered = async (sent: Buffer): Promise<void> => {
      const client = await clientOf();
      await client.send(sent);
      await client.waitForEnd();
      expect(client.received().length).toBe(0);
    };

    test('spoofed client address: of a peer that is not trusted a header is not read, and is no request', async () => {
      await begin(engine, { proxyProtocol: ['192.0.2.0/24'] });
      for (const header of [FIRST_VERSION, secondVersion()]) {
        const client = await clientOf();
        await client.send(octets(header, get('/api/spoofed')));
        expect((await client.answer()).status).toBe(400);
        client.close();
      }
      await scene.settled();
      expect(scene.records.map(({ client }) => client)).toEqual(['127.0.0.1', '127.0.0.1']);
      const direct = await clientOf();
      await direct.send(get('/api/direct'));
      expect((await direct.answer()).status).toBe(200);
      expect(seen().headers['x-forwarded-for']).toBe('127.0.0.1');
    });

    test('spoofed client address: a second header is no request', async () => {
      await begin(engine);
      const before = app.requestCount();
      const client = await clientOf();
      await client.send(octets(secondVersion(), FIRST_VERSION, get('/api/twice')));
      expect((await client.answer()).status).toBe(400);
      expect(app.requestCount()).toBe(before);
    });

    test.each([
      ['a request without one', octets(get('/api/bare'))],
      ['a line that is none', octets('PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n', get('/api/bare'))],
      ['a line without an end', octets(`PROXY UNKNOWN ${'f'.repeat(200)}`)],
      ['oversized TLVs', octets(SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff]), Buffer.alloc(300))],
      ['a TLV beyond the header', octets(secondVersion(tlv(0x04, [1], 9_999)), get('/api/bare'))],
    ])('close the connection without a word, and say so once: %s', async (_name, sent) => {
      await begin(engine);
      const before = app.requestCount();
      await closedUnanswered(sent);
      expect(app.requestCount()).toBe(before);
      expect(scene.faults).toEqual([expect.stringContaining('no PROXY header')]);
      expect(scene.records).toEqual([]);
      await waitFor(() => scene.engine.stats().clientConnections === 0, { what: 'its place to be free' });
    });

    test('slowloris: a header that does not end in time', async () => {
      await begin(engine, { limits: { headerTimeoutMs: 300 } });
      const client = await clientOf();
      const drip = setInterval(() => void client.send('f'), 50);
      cleanUp.push(() => clearInterval(drip));
      await client.send('PROXY UNKNOWN ');
      await client.waitForEnd();
      expect(client.received().length).toBe(0);
      expect(scene.faults.length).toBe(1);
    });

    test('slowloris: silence in place of a header', async () => {
      await begin(engine, { limits: { headerTimeoutMs: 300 } });
      await closedUnanswered(Buffer.alloc(0));
      expect(scene.faults).toEqual([]);
    });
  });

  describe('a balancer that looks whether the gateway is there', () => {
    test.each([
      ['connects and closes', Buffer.alloc(0)],
      ['sends LOCAL and closes', LOCAL],
      ['sends half a header and closes', SIGNATURE.subarray(0, 5)],
    ])('%s: nothing is wrong', async (_name, sent) => {
      await begin(engine);
      const client = await clientOf();
      await client.send(sent);
      client.halfClose();
      await client.waitForEnd();
      await waitFor(() => scene.engine.stats().clientConnections === 0, { what: 'its place to be free' });
      expect(client.received().length).toBe(0);
      expect(scene.faults).toEqual([]);
      expect(scene.records).toEqual([]);
    });

    test('or resets: nothing is wrong either, and the gateway stops at once while others wait', async () => {
      await begin(engine);
      const client = await clientOf();
      await client.send(SIGNATURE.subarray(0, 5));
      client.reset();
      await waitFor(() => scene.engine.stats().clientConnections === 0, { what: 'its place to be free' });
      const waiting = await clientOf();
      await waitFor(() => scene.engine.stats().clientConnections === 1, { what: 'another one' });
      await scene.stop(400);
      await waiting.waitForEnd();
      expect(scene.faults).toEqual([]);
    });
  });

  describe.skipIf(!needsTool('openssl'))('TLS behind a PROXY header', () => {
    let folder: TemporaryFolder;
    let certificate: Certificate;
    beforeAll(async () => {
      folder = await temporaryFolder('proxied-tls');
      certificate = makeCertificate(folder.path);
    });
    afterAll(() => folder?.remove());

    const ask = async (socket: Socket, isSplit = false): Promise<string> => {
      const tls = connectTls({ socket, rejectUnauthorized: false });
      let text = '';
      tls.on('data', (data: Buffer) => {
        text += data.toString('latin1');
      });
      await new Promise((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
      tls.write(get('/api/tls'));
      await waitFor(() => text.includes('"url"'), { what: `an answer${isSplit ? ' (split)' : ''}` });
      tls.destroy();
      return text;
    };
    const connected = (to: { host: string; port: number }): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect({ ...to, noDelay: true }, () => resolve(socket));
      });

    test('begins in the header’s own segment, or later', async () => {
      await begin(engine, { tls: certificate });
      const relay = await relayWithHeader(scene, secondVersion());
      cleanUp.push(() => relay.stop());
      expect(await ask(await connected(relay))).toMatch(/^HTTP\/1\.1 200 /);
      expect(seen().headers).toMatchObject({ 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' });
      const socket = await connected(scene);
      for (const octet of FIRST_VERSION) {
        await new Promise((resolve) => socket.write(Buffer.from([octet]), resolve));
      }
      expect(await ask(socket, true)).toMatch(/^HTTP\/1\.1 200 /);
      expect(seen().headers).toMatchObject({ 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' });
      await waitFor(() => scene.engine.stats().clientConnections === 0, { what: 'both to be forgotten' });
    });

    test('without the header is closed, and of a peer that is not trusted taken as it is', async () => {
      await begin(engine, { tls: certificate });
      await expect(connected(scene).then((socket) => ask(socket))).rejects.toThrow();
      expect(scene.faults.length).toBe(1);
      await scene.stop();
      await begin(engine, { tls: certificate, proxyProtocol: ['192.0.2.0/24'] });
      expect(await ask(await connected(scene))).toMatch(/^HTTP\/1\.1 200 /);
      expect(seen().headers['x-forwarded-for']).toBe('127.0.0.1');
    });
  });
});
