// What reading costs, as CPU time, and how that grows with what is read. Figures are the least of several runs, so that
// other programs on the machine weigh little, and judged as ratios only.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { BY_TCP } from '../../src/engine/arrivals.ts';
import { ChunkedReader } from '../../src/wire/chunked.ts';
import { ClientConnection } from '../../src/wire/client-connection.ts';
import { openStream } from '../../src/wire/client-socket.ts';
import type { WireContext } from '../../src/wire/context.ts';
import { ourAnswer } from './our-answers.ts';
import { ourRequests } from './our-requests.ts';
import { LIMITS } from './readings.ts';

/** Microseconds of CPU for one run. Repeats it for a few milliseconds at a time, and takes the best of nine. */
export function cpuMicros(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < 9; sample++) {
    const before = process.cpuUsage();
    let runs = 0;
    let spent = 0;
    while (spent < 4_000) {
      run();
      runs++;
      const { user, system } = process.cpuUsage(before);
      spent = user + system;
    }
    best = Math.min(best, spent / runs);
  }
  return best;
}

/** A machine that others use spoils a measurement now and then; what grows too fast does so each time. */
const TRIES = 3;

/** How many times as much `large` costs: the least of some tries, no more of them than it takes to be below `enough`. */
export function costRatio(small: () => void, large: () => void, enough: number): number {
  large(); // compiled before anything is measured
  small();
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < TRIES && least >= enough; n++) {
    least = Math.min(least, cpuMicros(large) / cpuMicros(small));
  }
  return least;
}

const WHOLE = [Number.MAX_SAFE_INTEGER];
const GET = 'GET / HTTP/1.1\r\nHost: shop.example\r\n';

/** A request head of that many octets whose rest is filled with `line` again and again. */
export function headOf(octets: number, line: string): Buffer {
  const room = octets - GET.length - 2;
  const lines = line.repeat(Math.floor(room / line.length));
  const last = room - lines.length;
  const padding = last >= 5 ? `P:${'p'.repeat(last - 4)}\r\n` : '';
  return Buffer.from(`${GET}${lines}${padding}\r\n`, 'latin1');
}

export function readHead(head: Buffer): void {
  const { messages } = ourRequests(head, WHOLE);
  if (messages.length !== 1) throw new Error('the head is not read');
}

export function readAnswer(answer: Buffer): void {
  const { messages } = ourAnswer(answer, 'GET', WHOLE);
  if (messages.length !== 1) throw new Error('the answer is not read');
}

/** A whole body by pieces of that many octets. */
export function readChunks(body: Buffer, step: number): void {
  const reader = new ChunkedReader(LIMITS);
  for (let at = 0; at < body.length; at += step) reader.read(body.subarray(at, at + step), 0);
  if (!reader.isDone) throw new Error('the body is not read');
}

/** An unfinished head that arrives octet by octet on a real ClientConnection, whose socket only emits. */
export function dribbleHead(head: Buffer): void {
  const stub = { remoteAddress: '', pause: () => {}, resume: () => {} };
  const socket = Object.assign(new EventEmitter(), stub);
  const deadlines = { nowMs: 0, add: () => {}, delete: () => {} };
  const context = { deadlines, options: { limits: LIMITS } };
  const open = openStream(socket as unknown as Socket);
  new ClientConnection(context as unknown as WireContext, open, BY_TCP, false);
  for (let at = 0; at < head.length - 1; at++) socket.emit('data', head.subarray(at, at + 1));
}
