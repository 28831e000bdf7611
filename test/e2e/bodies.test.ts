// Bodies of nothing, one byte, 64 KiB and 1 GiB go up and come down, with a length and in chunks, and arrive byte for
// byte; and the gateway's memory stays where it was, whatever their size.

import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { patternHash, patternParts } from '../kit/pattern.ts';
import { ECHO_HASH, startUpstream, type Upstream } from '../kit/upstream.ts';

const KIB = 1_024;
const GIB = 1_024 ** 3;
/** What a warm process may grow by: some buffers, and what its garbage collector has not looked at yet. */
const GROWTH_BYTES = 128 * KIB * KIB;

const SIZES = [
  { name: 'nothing', bytes: 0 },
  { name: '1 byte', bytes: 1 },
  { name: '64 KiB', bytes: 64 * KIB },
  { name: '1 GiB', bytes: GIB },
];
const CASES = SIZES.flatMap((size) => [
  { ...size, framing: 'a length' as const },
  { ...size, framing: 'chunks' as const },
]);

describe('a body arrives byte for byte', () => {
  let upstream: Upstream;
  let gateway: GatewayProcess;
  let peak = 0;
  let sampling: NodeJS.Timeout;
  let baseline = 0;
  const hashes = new Map(SIZES.map(({ bytes }) => [bytes, patternHash(bytes)]));
  beforeAll(async () => {
    upstream = await startUpstream({ version: 'v1' });
    gateway = await startGatewayProcess({ versions: { v1: [upstream.url] }, active: 'v1' });
    for (let n = 0; n < 200; n++) await httpRequest(`${gateway.url}/bytes?n=100000`);
    baseline = await gateway.process().residentBytes();
    sampling = setInterval(() => {
      gateway
        .process()
        .residentBytes()
        .then((bytes) => {
          peak = Math.max(peak, bytes);
        });
    }, 50);
  });
  afterAll(async () => {
    clearInterval(sampling);
    await gateway?.stop();
    await upstream?.stop();
  });

  test.each(CASES)(
    'up: $name with $framing',
    async ({ bytes, framing }) => {
      const answer = await upload(`${gateway.url}/echo`, bytes, framing === 'chunks');
      expect(answer).toEqual({ status: 200, bytes: String(bytes), hash: hashes.get(bytes) });
      const seen = upstream.requests.at(-1)!.headers;
      expect(framing === 'chunks' ? seen['transfer-encoding'] : seen['content-length']).toBe(
        framing === 'chunks' ? 'chunked' : String(bytes),
      );
    },
    120_000,
  );

  test.each(CASES)(
    'down: $name with $framing',
    async ({ bytes, framing }) => {
      const answer = await download(
        `${gateway.url}/bytes?n=${bytes}${framing === 'chunks' ? '&chunked' : ''}`,
      );
      expect(answer).toEqual({
        status: 200,
        bytes,
        hash: hashes.get(bytes),
        isChunked: framing === 'chunks',
      });
    },
    120_000,
  );

  test("the gateway's memory is bounded meanwhile", () => {
    expect(peak, 'it was measured').toBeGreaterThan(0);
    expect(peak - baseline).toBeLessThan(GROWTH_BYTES);
  });
});

async function upload(
  url: string,
  bytes: number,
  isChunked: boolean,
): Promise<{ status: number; bytes: string; hash: string }> {
  const outgoing = request(url, {
    method: 'POST',
    headers: isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes },
  });
  const answered = new Promise<{ status: number; bytes: string; hash: string }>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      let text = '';
      incoming.on('data', (part: Buffer) => {
        text += part.toString();
      });
      incoming.once('end', () =>
        resolve({ status: incoming.statusCode ?? 0, bytes: text, hash: String(incoming.headers[ECHO_HASH]) }),
      );
    });
  });
  await pipeline(Readable.from(patternParts(bytes), { objectMode: true }), outgoing);
  return answered;
}

function download(url: string): Promise<{ status: number; bytes: number; hash: string; isChunked: boolean }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url);
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const hash = createHash('sha256');
      let bytes = 0;
      incoming.on('data', (part: Buffer) => {
        hash.update(part);
        bytes += part.length;
      });
      incoming.once('error', reject);
      incoming.once('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          bytes,
          hash: hash.digest('hex'),
          isChunked: incoming.headers['transfer-encoding'] === 'chunked',
        }),
      );
    });
    outgoing.end();
  });
}
