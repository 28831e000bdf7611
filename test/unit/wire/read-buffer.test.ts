// Memory that bodies are read into: who may have it, and when.

import { describe, expect, test } from 'vitest';
import type { Limits } from '../../../src/core/policy.ts';
import { ClientInput } from '../../../src/wire/client-input.ts';
import { LentBuffers, READ_BYTES, SpareBuffers } from '../../../src/wire/read-buffer.ts';
import { type BodySink, RequestBody } from '../../../src/wire/request-body.ts';
import type { RequestHead } from '../../../src/wire/request-head.ts';

describe('spare buffers', () => {
  test('are taken again, the last one given first, and made where there are none', () => {
    const spares = new SpareBuffers();
    const [first, second] = [spares.take(), spares.take()];
    expect(second).not.toBe(first);
    spares.give(first);
    spares.give(second);
    expect(spares.take()).toBe(second);
    expect(spares.take()).toBe(first);
  });

  test('are bounded: of a crowd that has gone, few are kept', () => {
    const spares = new SpareBuffers();
    const crowd = new Set(Array.from({ length: 100 }, () => spares.take()));
    for (const buffer of crowd) spares.give(buffer);
    const again = Array.from({ length: 100 }, () => spares.take());
    expect(again.filter((buffer) => crowd.has(buffer)).length).toBe(16);
  });

  test('that are lent are nobody else’s until all has left, and of many, one is kept', () => {
    const spares = new SpareBuffers();
    const lent = new LentBuffers(spares);
    const needed = [spares.take(), spares.take()];
    for (const buffer of needed) lent.lend(buffer);
    expect(lent.isEmpty).toBe(false);
    expect(needed).not.toContain(spares.take());
    lent.takeBack();
    lent.takeBack();
    expect(lent.isEmpty).toBe(true);
    expect(spares.take()).toBe(needed[0]);
    expect(needed).not.toContain(spares.take());
  });
});

describe('a body', () => {
  const scratch = Buffer.alloc(READ_BYTES);
  const limits = { body: null } as unknown as Limits;
  const head = (contentLength: number) => ({ isChunked: false, contentLength }) as RequestHead;

  /** What a sink is handed, and the room before it. */
  function sinkInto(seen: { text: string; room: number }[]): BodySink {
    return {
      onBodyData: (whole, start, end) =>
        seen.push({ text: whole.toString('latin1', start, end), room: start }),
      onBodyChunks: () => {},
      onBodyEnd: () => {},
      onRequestFailed: () => {},
    };
  }

  test('that came with its head is moved to where a head fits before it, and its memory given back at its end', () => {
    const spares = new SpareBuffers();
    const own = spares.take();
    spares.give(own);
    const input = new ClientInput(spares);
    const seen: { text: string; room: number }[] = [];
    const body = new RequestBody(head(10_005), limits);
    scratch.fill('x');
    input.add(scratch.subarray(0, 10_000), false);
    input.takeBody(body, sinkInto(seen));
    expect(input.readBuffer(scratch, true)).toBe(own.view);
    own.view.write('after, and more', 'latin1');
    input.add(own.view.subarray(0, 5), false);
    input.takeBody(body, sinkInto(seen));
    expect(seen.map(({ text }) => text)).toEqual(['x'.repeat(10_000), 'after']);
    expect(seen.every(({ room }) => room >= 2_048)).toBe(true);
    expect(input.readBuffer(scratch, false)).toBe(scratch);
    expect(spares.take()).toBe(own);
  });

  test('of which a write has not left yet is not read over: other memory is', () => {
    const spares = new SpareBuffers();
    const lent = new LentBuffers(spares);
    const input = new ClientInput(spares);
    const first = input.readBuffer(scratch, true);
    input.spareUnsent(lent, false);
    const second = input.readBuffer(scratch, true);
    expect(second.buffer).not.toBe(first.buffer);
    input.readBuffer(scratch, false);
    expect(spares.take().view).toBe(second);
    expect(spares.take().view).not.toBe(first);
    lent.takeBack();
    expect(spares.take().view).toBe(first);
  });

  test('of which a write has not left yet is not read over: nothing is read where there will be a drain', () => {
    const spares = new SpareBuffers();
    const lent = new LentBuffers(spares);
    const input = new ClientInput(spares);
    const calls: string[] = [];
    input.socket = { pause: () => calls.push('pause'), resume: () => calls.push('resume') } as never;
    const buffer = input.readBuffer(scratch, true);
    input.spareUnsent(lent, true);
    expect(calls).toEqual(['pause']);
    expect(lent.isEmpty).toBe(true);
    input.resume();
    expect(calls).toEqual(['pause', 'resume']);
    expect(input.readBuffer(scratch, true)).toBe(buffer);
  });

  test('in memory that lasts is taken where it lies', () => {
    const input = new ClientInput(new SpareBuffers());
    const lasting = Buffer.alloc(10_000, 'y');
    let given: Buffer | null = null;
    const sink: BodySink = { ...sinkInto([]), onBodyData: (whole) => (given = whole) };
    input.add(lasting, true);
    input.takeBody(new RequestBody(head(10_000), limits), sink);
    expect(given).toBe(lasting);
  });
});
