// Where a head ends, before anything in it is read.

import type { FailureCode } from '../core/errors.ts';

const END = Buffer.from('\r\n\r\n', 'latin1');
const LF = 10;
const CR = 13;
/** Empty lines before a request line (RFC 9112 §2.2 wants one forgiven). */
const MAX_EMPTY_LINES = 4;

/** Position after the empty line that ends the head beginning at `start`; -1 when it has not come yet. */
export function headEnd(buffer: Buffer, start: number): number {
  const at = buffer.indexOf(END, start);
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
): FailureCode | null {
  const end = headEnd(buffer, start);
  const length = (end === -1 ? buffer.length : end) - start;
  if (length > limits.headBytes) {
    const lineEnd = buffer.indexOf('\r\n', start, 'latin1');
    const lineLength = (lineEnd === -1 ? buffer.length : lineEnd) - start;
    return lineLength > limits.uri ? 'uri-too-long' : 'head-too-large';
  }
  return end === -1 && hasBareLineFeed(buffer, start) ? 'malformed' : null;
}

/** A line feed without its carriage return: a client that ends its lines so would wait for ever. */
function hasBareLineFeed(buffer: Buffer, start: number): boolean {
  for (let at = buffer.indexOf(LF, start); at !== -1; at = buffer.indexOf(LF, at + 1)) {
    if (at === start || buffer[at - 1] !== CR) return true;
  }
  return false;
}
