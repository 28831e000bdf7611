import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBoundaries } from '../../../src/engine/websocket-frames.ts';

function frame(payload: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  let header: Buffer;
  if (payload < 126) header = Buffer.from([0x82, mask | payload]);
  else if (payload < 65536) header = Buffer.from([0x82, mask | 126, payload >> 8, payload & 255]);
  else {
    header = Buffer.alloc(10);
    header[0] = 0x82;
    header[1] = mask | 127;
    header.writeBigUInt64BE(BigInt(payload), 2);
  }
  return Buffer.concat([header, Buffer.alloc(masked ? 4 : 0), Buffer.alloc(payload, 0x88)]);
}

describe('frame boundaries', () => {
  it('are known after any sequence of frames in any pieces, and nowhere else', () => {
    const frames = fc.array(
      fc.tuple(fc.constantFrom(0, 1, 125, 126, 300, 65535, 65536, 70_000), fc.boolean()),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 9_000 }), (given, step) => {
        const boundaries = new FrameBoundaries();
        const bytes = given.map(([payload, masked]) => frame(payload, masked));
        const ends = new Set<number>([0]);
        let end = 0;
        for (const one of bytes) {
          end += one.length;
          ends.add(end);
        }
        const all = Buffer.concat(bytes);
        for (let at = 0; at < all.length; at += step) {
          boundaries.pass(all.subarray(at, at + step));
          expect(boundaries.isBetweenFrames).toBe(ends.has(Math.min(at + step, all.length)));
        }
      }),
      { numRuns: 50 },
    );
  });
});
