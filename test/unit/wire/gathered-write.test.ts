// What one read brings leaves in one write, around the piece and where it lies; and what has to wait holds no more memory
// than it is long.

import { describe, expect, test } from 'vitest';
import { GatheredWrite, type WriteTarget } from '../../../src/wire/gathered-write.ts';

class Target implements WriteTarget {
  hasUnsent = false;
  readonly written: (Buffer | string)[] = [];

  write(data: Buffer | string): boolean {
    this.written.push(data);
    return true;
  }

  cork(): void {}

  uncork(): void {}

  get text(): string {
    return this.written.map((part) => (typeof part === 'string' ? part : part.toString('latin1'))).join('');
  }
}

const PIECE = 8_192;

function filled(): Buffer {
  return Buffer.alloc(70_000, '.');
}

describe('a gathered write', () => {
  test('puts the texts around a piece in place, in one write, and touches nothing beyond', () => {
    const target = new Target();
    const out = new GatheredWrite(target);
    const whole = filled();
    out.text('head');
    out.piece(whole, 100, 100 + PIECE);
    out.text('tail');
    out.flush();
    expect(target.written).toHaveLength(1);
    expect(target.text).toBe(`head${'.'.repeat(PIECE)}tail`);
    expect((target.written[0] as Buffer).buffer).toBe(whole.buffer);
    expect(whole.subarray(0, 96).toString() + whole.subarray(104 + PIECE).toString()).toBe(
      '.'.repeat(whole.length - PIECE - 8),
    );
  });

  test.each([
    { name: 'before', start: 3, end: 3 + PIECE },
    { name: 'behind', start: 70_000 - PIECE - 3, end: 69_997 },
  ])('leaves the memory alone where there is no room $name', ({ start, end }) => {
    const target = new Target();
    const out = new GatheredWrite(target);
    const whole = filled();
    out.text('head');
    out.piece(whole, start, end);
    out.text('tail');
    out.flush();
    expect(target.text).toBe(`head${'.'.repeat(PIECE)}tail`);
    expect(whole.equals(filled())).toBe(true);
  });

  test('that has to wait keeps a small piece, and not all that it was read into', () => {
    const target = new Target();
    target.hasUnsent = true;
    const out = new GatheredWrite(target);
    const whole = filled();
    out.piece(whole, 100, 100 + PIECE);
    out.flush();
    expect((target.written[0] as Buffer).buffer.byteLength).toBeLessThan(whole.length);
    out.piece(whole, 100, 60_000);
    out.flush();
    expect((target.written[1] as Buffer).buffer).toBe(whole.buffer);
  });
});
