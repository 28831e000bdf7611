// Bodies of any size that need no memory: a known pattern, byte for byte, and its SHA-256.

import { createHash } from 'node:crypto';

/** Not a power of two, so that a shifted or repeated block cannot look right. */
const BLOCK = Buffer.alloc(65_521);
for (let at = 0; at < BLOCK.length; at++) BLOCK[at] = (at * 31 + (at >> 8)) & 0xff;

/** The part of a body of `total` bytes that begins at `offset`; at most 64 KiB, never empty before the end. */
export function patternOf(offset: number, total: number): Buffer {
  const from = offset % BLOCK.length;
  return BLOCK.subarray(from, Math.min(BLOCK.length, from + total - offset));
}

export function patternHash(total: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < total; ) {
    const part = patternOf(at, total);
    hash.update(part);
    at += part.length;
  }
  return hash.digest('hex');
}

export function* patternParts(total: number): Generator<Buffer> {
  for (let at = 0; at < total; ) {
    const part = patternOf(at, total);
    yield part;
    at += part.length;
  }
}
