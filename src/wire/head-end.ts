// Where a head ends, before anything in it is read. What has been searched once is not searched again, and pieces are
// gathered without copying all that came before, so that a head that arrives octet by octet costs no more than its length.

import type { FailureCode } from '../core/errors.ts';
import { isTokenChar } from '../engine/characters.ts';

const END = Buffer.from('\r\n\r\n', 'latin1');
const ANSWER = Buffer.from('HTTP/1.', 'latin1');
const LF = 10;
const CR = 13;
/** Empty lines before a request line (RFC 9112 §2.2 wants one forgiven). */
const MAX_EMPTY_LINES = 4;
const LEAST_ROOM = 1_024;
/** One for all: most heads come in one piece, and an empty Buffer of one's own is 200 octets and its memory outside. */
const NO_ROOM = Buffer.alloc(0);

/** Puts pieces behind one another. The views it answers stay good: what is there is never written again. */
export class Gathering {
  #room: Buffer = NO_ROOM;
  #used = 0;

  /** `pending` and `data` in one; `pending` is best what the last call answered, or a part of its end. */
  append(pending: Buffer, data: Buffer): Buffer {
    const room = this.#room;
    const isAtEnd = pending.byteOffset + pending.length === room.byteOffset + this.#used;
    if (pending.buffer !== room.buffer || !isAtEnd || this.#used + data.length > room.length) {
      return this.#move(pending, data);
    }
    data.copy(room, this.#used);
    this.#used += data.length;
    return room.subarray(this.#used - data.length - pending.length, this.#used);
  }

  #move(pending: Buffer, data: Buffer): Buffer {
    this.#used = pending.length + data.length;
    this.#room = Buffer.allocUnsafeSlow(Math.max(LEAST_ROOM, 2 * this.#used));
    pending.copy(this.#room, 0);
    data.copy(this.#room, pending.length);
    return this.#room.subarray(0, this.#used);
  }
}

/**
 * Position after the empty line that ends the head beginning at `start`; -1 when it has not come by `limit`. The octets
 * before `searched` are known to hold no such end.
 */
export function headEnd(buffer: Buffer, start: number, limit: number, searched = start): number {
  // What stands behind `limit` is of an earlier read: it is not searched, however far it goes.
  const inside = limit === buffer.length ? buffer : buffer.subarray(0, limit);
  const at = inside.indexOf(END, Math.max(start, searched - END.length + 1));
  return at === -1 ? -1 : at + END.length;
}

/** Position behind the empty lines at the beginning; -1 when there are more of them than anybody sends by mistake. */
export function skipEmptyLines(buffer: Buffer): number {
  let at = 0;
  while (buffer[at] === CR && buffer[at + 1] === LF) at += 2;
  return at / 2 > MAX_EMPTY_LINES ? -1 : at;
}

/** Why the request head from `start` on, unfinished or longer than allowed, cannot be waited for; null when it can. */
export function headFailure(
  buffer: Buffer,
  start: number,
  limits: { readonly headBytes: number; readonly uri: number },
  searched = start,
): FailureCode | null {
  const end = headEnd(buffer, start, buffer.length, searched);
  const length = (end === -1 ? buffer.length : end) - start;
  if (length > limits.headBytes) {
    const lineEnd = buffer.indexOf('\r\n', start, 'latin1');
    const lineLength = (lineEnd === -1 ? buffer.length : lineEnd) - start;
    return lineLength > limits.uri ? 'uri-too-long' : 'head-too-large';
  }
  if (end !== -1) return null;
  // A TLS hello, say, of which no line feed need ever come.
  const beginsOddly = !isTokenChar(buffer[start]!) && buffer[start] !== CR;
  return beginsOddly || hasBareLineFeed(buffer, start, searched) ? 'malformed' : null;
}

/** A line feed without its carriage return: a client that ends its lines so would wait for ever. */
function hasBareLineFeed(buffer: Buffer, start: number, searched: number): boolean {
  for (let at = buffer.indexOf(LF, Math.max(start, searched)); at !== -1; at = buffer.indexOf(LF, at + 1)) {
    if (at === start || buffer[at - 1] !== CR) return true;
  }
  return false;
}

/** Whether what has come of an answer can be the beginning of one. The octets before `searched` have been looked at. */
export function mayBecomeAnswer(buffer: Buffer, searched: number): boolean {
  const length = Math.min(buffer.length, ANSWER.length);
  return buffer.compare(ANSWER, 0, length, 0, length) === 0 && !hasBareLineFeed(buffer, 0, searched);
}
