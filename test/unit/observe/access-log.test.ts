// Batches, drops and errors of the access log, against a destination that answers when the test lets it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AccessLog, type AccessLogOptions } from '../../../src/observe/access-log.ts';
import type { LogSink } from '../../../src/observe/log-sink.ts';
import { exchange, lineOf } from './exchange-record.ts';

const LINE = lineOf(exchange(), 'p-1').length;

class HeldSink implements LogSink {
  readonly writes: string[] = [];
  text = '';
  isClosed = false;
  #done: ((error: Error | null, written: number) => void) | null = null;

  write(bytes: Buffer, done: (error: Error | null, written: number) => void): void {
    if (this.#done !== null) throw new Error('two writes at once');
    this.writes.push(bytes.toString());
    this.#done = done;
  }

  answer(error: Error | null = null, written = this.writes.at(-1)!.length): void {
    const done = this.#done!;
    this.#done = null;
    this.text += this.writes.at(-1)!.slice(0, written);
    done(error, written);
  }

  lines(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function open(options: Partial<AccessLogOptions> = {}): { log: AccessLog; sink: HeldSink } {
  const sink = new HeldSink();
  return { log: new AccessLog({ destination: sink, linesAtOnce: 1, ...options }), sink };
}

const failure = (code: string) => Object.assign(new Error(code), { code });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('writes nothing before the batch is due, then one batch', () => {
  const { log, sink } = open({ flushMs: 100 });
  log.write(exchange({ url: '/1' }), 'p-1');
  vi.advanceTimersByTime(99);
  log.write(exchange({ url: '/2' }), 'p-1');
  expect(sink.writes).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(sink.writes).toHaveLength(1);
  sink.answer();
  expect(sink.lines().map(({ url }) => url)).toEqual(['/1', '/2']);
});

test('a batch that is large enough leaves at once', () => {
  const { log, sink } = open();
  for (let size = 0; size < 65_536; size += LINE) log.write(exchange(), 'p-1');
  expect(sink.writes).toHaveLength(1);
});

test('has one write under way, and the next as soon as it ended', () => {
  const { log, sink } = open();
  for (let size = 0; size < 3 * 65_536; size += LINE) log.write(exchange(), 'p-1');
  expect(sink.writes).toHaveLength(1);
  sink.answer();
  expect(sink.writes).toHaveLength(2);
  expect(sink.writes[1]!.length).toBeGreaterThan(65_536);
});

test('goes on where a partial write stopped', () => {
  const { log, sink } = open();
  log.write(exchange({ url: '/1' }), 'p-1');
  vi.advanceTimersByTime(100);
  sink.answer(null, 10);
  sink.answer();
  expect(sink.lines()).toHaveLength(1);
});

test('drops what does not fit, tells of it, and says so in the log where it is missing', () => {
  const told: number[] = [];
  const { log, sink } = open({ maxPendingBytes: 3 * LINE, onDrop: (dropped) => void told.push(dropped) });
  for (const url of ['/a', '/b', '/c', '/d', '/e']) log.write(exchange({ url: `${url}__` }), 'p-1');
  expect(log.dropped).toBe(2);
  expect(told).toEqual([1]);
  vi.advanceTimersByTime(100);
  sink.answer();
  log.write(exchange({ url: '/f__' }), 'p-1');
  vi.advanceTimersByTime(100);
  sink.answer();
  expect(sink.lines().map(({ url, level, dropped }) => url ?? { level, dropped })).toEqual([
    '/a__',
    '/b__',
    '/c__',
    { level: 40, dropped: 2 },
    '/f__',
  ]);
});

test('tells of drops every ten seconds at most', () => {
  const told: number[] = [];
  let now = 0;
  const { log } = open({
    maxPendingBytes: 1,
    wallMs: () => now,
    onDrop: (dropped) => void told.push(dropped),
  });
  for (now = 0; now < 20_000; now += 100) log.write(exchange(), 'p-1');
  expect(told).toEqual([1, 100]);
  expect(log.dropped).toBe(200);
});

test.each(['EPIPE', 'ENOSPC'])('survives %s and tries the same lines again', (code) => {
  const { log, sink } = open();
  log.write(exchange({ url: '/1' }), 'p-1');
  vi.advanceTimersByTime(100);
  sink.answer(failure(code), 0);
  expect(log.errors).toBe(1);
  expect(sink.writes).toHaveLength(1);
  log.write(exchange({ url: '/2' }), 'p-1');
  vi.advanceTimersByTime(100);
  sink.answer();
  vi.advanceTimersByTime(100);
  sink.answer();
  expect(sink.lines().map(({ url }) => url)).toEqual(['/1', '/2']);
});

test('a destination that is only busy is no error', () => {
  const { log, sink } = open();
  log.write(exchange(), 'p-1');
  vi.advanceTimersByTime(100);
  sink.answer(failure('EAGAIN'), 0);
  expect(log.errors).toBe(0);
  vi.advanceTimersByTime(100);
  sink.answer();
  expect(sink.lines()).toHaveLength(1);
});

test('a destination that fails for good keeps memory bounded', () => {
  const { log, sink } = open({ maxPendingBytes: 100_000 });
  for (let round = 0; round < 50; round++) {
    for (let index = 0; index < 100; index++) log.write(exchange(), 'p-1');
    vi.advanceTimersByTime(100);
    sink.answer(failure('ENOSPC'), 0);
  }
  expect(Math.max(...sink.writes.map((bytes) => bytes.length))).toBeLessThanOrEqual(100_000);
  expect(log.dropped).toBeGreaterThan(4_000);
});

test('close() flushes what is there, closes, and is idempotent', async () => {
  const { log, sink } = open();
  log.write(exchange({ url: '/1' }), 'p-1');
  const closed = log.close();
  expect(log.close()).toBe(closed);
  expect(sink.isClosed).toBe(false);
  sink.answer();
  await closed;
  expect(sink.isClosed).toBe(true);
  log.write(exchange(), 'p-1');
  expect(log.dropped).toBe(1);
  expect(sink.lines()).toHaveLength(1);
});

test('close() gives up on a reader that has stopped', async () => {
  const { log, sink } = open({ closeMs: 2_000 });
  log.write(exchange(), 'p-1');
  const closed = log.close();
  await vi.advanceTimersByTimeAsync(2_000);
  await closed;
  expect(sink.isClosed).toBe(true);
});

test('close() of a destination that fails ends', async () => {
  const { log, sink } = open();
  log.write(exchange(), 'p-1');
  const closed = log.close();
  sink.answer(failure('ENOSPC'), 0);
  await closed;
  expect(sink.isClosed).toBe(true);
});

test('appends to a file', async () => {
  vi.useRealTimers();
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-log-'));
  try {
    const file = join(folder, 'access.log');
    for (const url of ['/1', '/2']) {
      const log = new AccessLog({ destination: file });
      log.write(exchange({ url }), 'p-1');
      await log.close();
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).url)).toEqual(['/1', '/2']);
    expect(() => new AccessLog({ destination: join(folder, 'no', 'such') })).toThrow('ENOENT');
  } finally {
    await rm(folder, { recursive: true });
  }
});

const block = (name: string, done: string[]) => (log: AccessLog) =>
  log.append(Buffer.from(lineOf(exchange({ url: name }), 'p-1')), () => done.push(name));

test('blocks of threads leave one after the other, and say so when they have', () => {
  const { log, sink } = open();
  const done: string[] = [];
  block('/1', done)(log);
  block('/2', done)(log);
  expect(sink.writes).toHaveLength(1);
  expect(done).toEqual([]);
  sink.answer(null, 10);
  expect(done, 'one that left in part goes on where it stopped').toEqual([]);
  sink.answer(null, sink.writes[1]!.length);
  expect(done).toEqual(['/1']);
  sink.answer();
  expect(done).toEqual(['/1', '/2']);
  expect(sink.lines().map(({ url }) => url)).toEqual(['/1', '/2']);
});

test('a block that could not be written is written later, whole', () => {
  const { log, sink } = open({ flushMs: 100 });
  const done: string[] = [];
  block('/1', done)(log);
  sink.answer(failure('ENOSPC'), 0);
  expect(done).toEqual([]);
  vi.advanceTimersByTime(100);
  sink.answer();
  expect(done).toEqual(['/1']);
  expect(sink.lines().map(({ url }) => url)).toEqual(['/1']);
});

test('blocks that the end met are given back: nobody waits for them for ever', async () => {
  const { log, sink } = open({ closeMs: 50 });
  const done: string[] = [];
  block('/1', done)(log);
  block('/2', done)(log);
  const closed = log.close();
  await vi.advanceTimersByTimeAsync(50);
  await closed;
  block('/3', done)(log);
  expect(done).toEqual(['/1', '/2', '/3']);
  expect(sink.writes).toHaveLength(1);
});

test('lines that wait to be written out keep their order and are in the next batch, however few they are', async () => {
  const { log, sink } = open({ linesAtOnce: 4 });
  const urls = Array.from({ length: 10 }, (_, n) => `/${n}`);
  for (const url of urls.slice(0, 6)) log.write(exchange({ url }), 'p-1');
  vi.advanceTimersByTime(100);
  for (const url of urls.slice(6)) log.write(exchange({ url }), 'p-1'); // while a write is under way
  sink.answer();
  vi.advanceTimersByTime(100);
  sink.answer();
  expect(sink.lines().map(({ url }) => url)).toEqual(urls);
  log.write(exchange({ url: '/last' }), 'p-1');
  const flushed = log.flush();
  sink.answer();
  await flushed;
  expect(sink.lines().at(-1)).toMatchObject({ url: '/last' });
});

test('lines that were not written out yet are so when the log closes', async () => {
  const { log, sink } = open({ linesAtOnce: 64 });
  log.write(exchange({ url: '/1' }), 'p-1');
  const closed = log.close();
  sink.answer();
  await closed;
  expect(sink.lines()).toHaveLength(1);
});
