// An upstream that checks each octet of what it gets, and answers with octets that its clients can check: by length, in
// odd chunks, or to the end of the connection; after the request or while it still comes; with rests at random on both ways.
// A WebSocket gets a greeting behind its handshake, in the same packet, and then all that it sends.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkOctets, octetsOf } from './keyed-pattern.ts';
import { between, type Random } from './random.ts';

/** More than the kernel holds for two sockets of which one does not read at first. */
export const LONG = 4.5 * 1_024 * 1_024;

const FILLS = 4 * 1_024 * 1_024;

export type AnswerFraming = 'length' | 'chunked' | 'close';

/** What a request asks for, in its target. */
export interface BodyOrder {
  readonly key: number;
  /** Octets that go up and come down. */
  readonly up: number;
  readonly down: number;
  readonly framing: AnswerFraming;
  /** The answer begins before the request has ended; it ends after it. */
  readonly isDuplex: boolean;
}

export interface BodyUpstream {
  readonly url: string;
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

/** Of the body that comes down, and of a WebSocket's greeting. */
export function answerKey(key: number): number {
  return key + 50_000_021;
}

export function targetOf({ key, up, down, framing, isDuplex }: BodyOrder): string {
  return `/${key}/${up}/${down}/${framing}/${isDuplex}`;
}

export async function startBodyUpstream(random: Random): Promise<BodyUpstream> {
  const faults: string[] = [];
  const open = new Set<Socket>();
  const note = (error: unknown) => faults.push(`at the upstream: ${error}`);
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    serve(request, response, random).catch(note);
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('upgrade', (request, socket: Socket, head) => echo(request, socket, head, random));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    stop: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function orderOf(request: IncomingMessage): BodyOrder {
  const [key, up, down, framing, isDuplex] = request.url!.slice(1).split('/');
  return {
    key: Number(key),
    up: Number(up),
    down: Number(down),
    framing: framing as AnswerFraming,
    isDuplex: isDuplex === 'true',
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, random: Random): Promise<void> {
  const order = orderOf(request);
  const read = readBody(request, order, random);
  if (!order.isDuplex) await read;
  const { key, down, framing } = order;
  if (framing === 'length') response.setHeader('content-length', down);
  if (framing === 'close') {
    response.useChunkedEncodingByDefault = false;
    response.setHeader('connection', 'close');
  }
  response.sendDate = false; // so that heads recur
  const dribbles = down > LONG && random() < 0.7;
  for (let at = 0; at < down; ) {
    // When the kernel takes no more of it: pieces that a gateway reads one by one, and that let it go on reading.
    const isDribbled = dribbles && at > FILLS;
    const most = isDribbled ? 40_000 : random() < 0.2 ? 300 : 400_000;
    const end = Math.min(down, at + 1 + Math.floor(random() * most));
    if (end === down) await read;
    if (!response.write(octetsOf(answerKey(key), at, end - at))) await drained(response);
    if (isDribbled) await sleep(2);
    else if (random() < 0.05) await sleep(between(random, 1, 15));
    at = end;
  }
  await read;
  response.end();
}

/** Or closed: who reads there says so. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    if (stream.destroyed) resolve();
    else stream.on('drain', done).on('close', done);
  });
}

/** Nothing is read meanwhile. */
export function pauseFor(stream: Readable, ms: number): void {
  stream.pause();
  setTimeout(() => stream.resume(), ms);
}

function readBody(request: IncomingMessage, { key, up }: BodyOrder, random: Random): Promise<void> {
  // Some read at once, others so slowly that what is under way to them queues.
  const stalls = random() < 0.5 ? 0 : 0.3;
  let at = 0;
  if (up > LONG && random() < 0.6) pauseFor(request, between(random, 100, 500));
  return new Promise((resolve, reject) => {
    request.on('data', (part: Buffer) => {
      try {
        checkOctets(key, at, part);
      } catch (error) {
        reject(error);
        request.socket.destroy();
      }
      at += part.length;
      if (random() >= stalls) return;
      pauseFor(request, between(random, 1, 15));
    });
    request.on('error', (error) =>
      reject(new Error(`the request of ${key} was cut at ${at} of ${up}`, { cause: error })),
    );
    request.on('end', () => {
      if (at === up) resolve();
      else reject(new Error(`the request of ${key} ended at ${at} of ${up}`));
    });
  });
}

function echo(request: IncomingMessage, socket: Socket, head: Buffer, random: Random): void {
  const { key, down } = orderOf(request);
  socket.on('error', () => {});
  socket.write(
    Buffer.concat([
      Buffer.from('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
      octetsOf(answerKey(key), 0, down),
    ]),
  );
  if (head.length > 0) socket.write(head);
  socket.on('data', (part) => {
    const isReady = socket.write(part);
    if (isReady && random() >= 0.1) return;
    socket.pause();
    if (isReady) setTimeout(() => socket.resume(), between(random, 1, 10));
    else socket.once('drain', () => socket.resume());
  });
  socket.on('end', () => socket.end());
}
