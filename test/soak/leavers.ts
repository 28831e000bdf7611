// Clients that leave in the middle: of a head, an upload by length or chunked, a download, a pipeline, a WebSocket; by a
// FIN or by a RST. Nobody waits for an answer of theirs: what they leave behind shows in the gateway's figures.

import { setTimeout as sleep } from 'node:timers/promises';
import { between, oneOf } from '../kit/random.ts';
import { rawClient } from '../kit/raw-client.ts';
import { waitFor } from '../kit/wait-for.ts';
import type { Client } from './clients.ts';

const MEGABYTE = 1_048_576;
const LONGEST_MS = 3_000;

/** What is sent, and whether something of the answer is waited for before it leaves. */
const BEGINNINGS: readonly { readonly bytes: string; readonly waits: boolean }[] = [
  { bytes: 'GET /api/items HTTP/1.1\r\nHost: soak\r\nX-Half: ', waits: false },
  { bytes: 'GET /api/items HTTP/1.1\r\nHost: soak\r\n\r\n', waits: false },
  {
    bytes: `POST /echo HTTP/1.1\r\nHost: soak\r\nContent-Length: ${MEGABYTE}\r\n\r\n${'x'.repeat(100_000)}`,
    waits: false,
  },
  {
    bytes: `POST /echo HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n${'x'.repeat(100_000)}\r\n5\r\nx`,
    waits: false,
  },
  { bytes: `GET /bytes?n=${5 * MEGABYTE} HTTP/1.1\r\nHost: soak\r\n\r\n`, waits: true },
  { bytes: `GET /bytes?n=${5 * MEGABYTE}&chunked HTTP/1.1\r\nHost: soak\r\n\r\n`, waits: true },
  { bytes: 'GET /api/items HTTP/1.1\r\nHost: soak\r\n\r\n'.repeat(10), waits: true },
  { bytes: 'GET /slow?ms=5000 HTTP/1.1\r\nHost: soak\r\n\r\n', waits: false },
  { bytes: 'GET /sse HTTP/1.1\r\nHost: soak\r\n\r\n', waits: true },
  {
    bytes:
      'GET /ws HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    waits: true,
  },
];

export const leaver: Client = async ({ origin, random }) => {
  const { hostname, port } = new URL(origin);
  const client = await rawClient({ host: hostname, port: Number(port) });
  const { bytes, waits } = oneOf(random, BEGINNINGS);
  void client.send(bytes);
  if (waits) {
    const hasBegun = (): boolean => client.received().length > 0 || client.ended() !== null;
    await waitFor(hasBegun, { what: 'an answer', timeoutMs: LONGEST_MS }).catch(() => {});
  }
  await sleep(between(random, 0, 50));
  const leave = oneOf(random, ['fin', 'rst', 'half'] as const);
  if (leave === 'rst') client.reset();
  else if (leave === 'half') {
    client.halfClose();
    await client.waitForEnd(LONGEST_MS).catch(() => {});
  }
  client.close();
  await sleep(between(random, 0, 100));
};
