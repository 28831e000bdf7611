// Clients that send and get bodies which can be checked to the octet: one connection after the other, each with batches of
// requests in a row (pipelined, kept alive, the odd one of HTTP/1.0 or with an expectation), and WebSockets that have all
// echoed. They read and write in pieces of any size, and rest at random.

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerCheck } from './answer-check.ts';
import { answerKey, type BodyOrder, drained, LONG, pauseFor, targetOf } from './body-upstream.ts';
import { checkOctets, octetsOf } from './keyed-pattern.ts';
import { between, oneOf, type Random } from './random.ts';
import { waitFor } from './wait-for.ts';

const MOST = 4 * 1_024 * 1_024;
const PATIENCE_MS = 15_000;

export interface Lane {
  readonly random: Random;
  /** Keys that no other lane has. */
  nextKey(): number;
  connect(): Promise<Socket>;
  /** Monotonic ms. */
  readonly untilMs: number;
}

interface Plan extends BodyOrder {
  readonly minor: 0 | 1;
  readonly isChunked: boolean;
  readonly expects: boolean;
}

export interface LaneResult {
  readonly answered: number;
  readonly octets: number;
}

/** Requests, one batch after the other. Throws for the first octet that is not as it must be. */
export async function requestLane(lane: Lane): Promise<LaneResult> {
  let answered = 0;
  let octets = 0;
  while (performance.now() < lane.untilMs) {
    const socket = await lane.connect();
    const check = new AnswerCheck();
    const failed = reading(socket, check, lane.random);
    const isOver = () => check.isLast || performance.now() >= lane.untilMs;
    do {
      const plans = planBatch(lane);
      for (const plan of plans) check.expect(plan);
      await Promise.race([
        failed,
        Promise.all([sendAll(socket, plans, check, lane.random), allRead(check, socket)]),
      ]);
      answered += plans.length;
      for (const { up, down } of plans) octets += up + down;
    } while (!isOver());
    socket.destroy();
  }
  return { answered, octets };
}

/**
 * 0 octets to 4 MiB, as many of each length; again and again the same few, whose heads recur; and some with more than the
 * kernel takes in for who does not read.
 */
function sizeOf(random: Random): number {
  const draw = random();
  if (draw < 0.1) return 0;
  if (draw < 0.17) return Math.floor(between(random, LONG, 2 * LONG));
  if (draw < 0.35) return oneOf(random, [1, 100, 4_095, 4_096, 65_536]);
  return Math.floor(2 ** between(random, 0, Math.log2(MOST)));
}

function planBatch({ random, nextKey }: Lane): readonly Plan[] {
  const count = 1 + Math.floor(random() * 4);
  return Array.from({ length: count }, (_, n) => {
    const isLast = n === count - 1;
    const minor = isLast && random() < 0.1 ? 0 : 1;
    const up = random() < 0.4 ? 0 : sizeOf(random);
    // Both end the connection, or may: nothing can follow.
    const isDuplex = isLast && up > 0 && random() < 0.3;
    return {
      key: nextKey(),
      up,
      down: random() < 0.2 ? 0 : sizeOf(random),
      framing: oneOf(random, ['length', 'chunked', 'close'] as const),
      isDuplex,
      minor,
      isChunked: minor === 1 && up > 0 && random() < 0.5,
      expects: isLast && minor === 1 && up > 0 && random() < 0.15,
    };
  });
}

function reading(socket: Socket, check: AnswerCheck, random: Random): Promise<never> {
  // A third of them read all at once.
  const stalls = random() < 0.35 ? 0 : between(random, 0.02, 0.3);
  let asked = 0;
  return new Promise((_, reject) => {
    socket.on('data', (data: Buffer) => {
      try {
        check.take(data);
      } catch (error) {
        reject(error);
        socket.destroy();
      }
      const { key = 0, down = 0 } = check.next ?? {};
      const isNew = key !== asked;
      asked = key;
      if (isNew && down > LONG && random() < 0.7) pauseFor(socket, between(random, 400, 1_000));
      else if (random() < stalls) pauseFor(socket, between(random, 1, 25));
    });
    socket.on('error', (error) => {
      if (check.waiting > 0) reject(error);
    });
    socket.on('end', () => {
      try {
        check.end();
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function allRead(check: AnswerCheck, socket: Socket): Promise<void> {
  await waitFor(() => check.waiting === 0, { what: 'all answers', everyMs: 2, timeoutMs: PATIENCE_MS });
  if (check.isLast) socket.end();
}

async function sendAll(
  socket: Socket,
  plans: readonly Plan[],
  check: AnswerCheck,
  random: Random,
): Promise<void> {
  // In one packet as often as not: then a head lies right behind the body before it.
  let held: Buffer[] = [];
  const flush = async () => {
    const octets = Buffer.concat(held);
    held = [];
    if (octets.length > 0 && !socket.write(octets)) await drained(socket);
    if (random() < 0.1) await sleep(between(random, 1, 10));
  };
  for (const plan of plans) {
    held.push(Buffer.from(headOf(plan), 'latin1'));
    if (plan.expects) {
      const before = check.continues;
      await flush();
      await waitFor(() => check.continues > before || check.waiting === 0, {
        what: 'leave to send the body',
        everyMs: 2,
        timeoutMs: PATIENCE_MS,
      });
    } else if (random() < 0.5) await flush();
    for (const part of partsOf(plan, random)) {
      held.push(part);
      if (random() < 0.7) await flush();
    }
  }
  await flush();
}

function headOf(plan: Plan): string {
  const { up, minor, isChunked, expects } = plan;
  const framing = isChunked ? 'Transfer-Encoding: chunked\r\n' : up > 0 ? `Content-Length: ${up}\r\n` : '';
  const line = `${up > 0 ? 'POST' : 'GET'} ${targetOf(plan)} HTTP/1.${minor}\r\n`;
  return `${line}Host: shop.example\r\n${framing}${expects ? 'Expect: 100-continue\r\n' : ''}\r\n`;
}

function* partsOf({ key, up, isChunked }: Plan, random: Random): Generator<Buffer> {
  const most = oneOf(random, [50, 5_000, 70_000, 300_000]);
  // As few of the smallest as fit into the time.
  const least = Math.ceil(up / 400);
  for (let at = 0; at < up; ) {
    const length = Math.min(up - at, Math.max(least, 1 + Math.floor(random() * most)));
    const part = octetsOf(key, at, length);
    at += length;
    if (!isChunked) yield part;
    else yield Buffer.concat([Buffer.from(sizeLine(length, random)), part, Buffer.from('\r\n')]);
  }
  if (!isChunked) return;
  const trailers = random() < 0.3 ? 'x-one:1\r\nx-two:2\r\nx-three:3\r\n' : '';
  yield Buffer.from(`${random() < 0.5 ? '0' : '0000'}\r\n${trailers}\r\n`);
}

function sizeLine(length: number, random: Random): string {
  const zeros = '0'.repeat(random() * 4);
  return `${zeros}${length.toString(16)}${random() < 0.2 ? ';name="a value"' : ''}\r\n`;
}

/** WebSockets, one after the other: what is sent comes back, behind a greeting. */
export async function socketLane(lane: Lane): Promise<LaneResult> {
  let answered = 0;
  let octets = 0;
  while (performance.now() < lane.untilMs) {
    octets += await oneSocket(lane);
    answered++;
  }
  return { answered, octets };
}

async function oneSocket({ random, nextKey, connect, untilMs }: Lane): Promise<number> {
  const key = nextKey();
  const greeting = Math.floor(random() * 60_000);
  const socket = await connect();
  const stalls = random() < 0.3 ? 0 : between(random, 0.02, 0.2);
  let head = '';
  let seen = 0;
  const failed = new Promise<never>((_, reject) => {
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      try {
        const rest = head.endsWith('\r\n\r\n') ? data : behindHead(data);
        checkOctets(answerKey(key), seen, rest.subarray(0, Math.max(0, greeting - seen)));
        const from = Math.max(0, greeting - seen);
        checkOctets(key, Math.max(0, seen - greeting), rest.subarray(from));
        seen += rest.length;
      } catch (error) {
        reject(error);
        socket.destroy();
      }
      if (random() < stalls) pauseFor(socket, between(random, 1, 20));
    });
  });
  const behindHead = (data: Buffer): Buffer => {
    const before = head.length;
    head += data.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return data.subarray(data.length);
    head = head.slice(0, end + 4);
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no WebSocket: ${JSON.stringify(head)}`);
    return data.subarray(head.length - before);
  };
  const target = targetOf({ key, up: 0, down: greeting, framing: 'length', isDuplex: true });
  socket.write(
    `GET ${target} HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  let sent = 0;
  const talk = async () => {
    const messages = 1 + Math.floor(random() * 12);
    for (let n = 0; n < messages && performance.now() < untilMs; n++) {
      const length = Math.floor(2 ** between(random, 0, 20));
      if (!socket.write(octetsOf(key, sent, length))) await drained(socket);
      sent += length;
      if (random() < 0.5) await sleep(between(random, 0, 10));
    }
    await waitFor(() => seen === greeting + sent, { what: 'the echo', everyMs: 2, timeoutMs: PATIENCE_MS });
  };
  await Promise.race([failed, talk()]);
  socket.destroy();
  return greeting + 2 * sent;
}
