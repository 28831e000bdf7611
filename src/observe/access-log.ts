// The access log: one JSON line a request, written in batches and never by the request itself.
// Rules: at most one write is under way; when more than `maxPendingBytes` wait, lines are dropped and counted, and a
// line says so as soon as one can be written again; a destination that fails is tried again with the next batch.
// A batch that was written in part goes on where it stopped, so that no line is torn or doubled. For the same reason there
// is one writer: data-plane threads hand it their lines in blocks, and wait with the next one until it has left.

import type { ExchangeRecord } from '../core/exchange.ts';
import { LineBlock } from './line-block.ts';
import { longestLine, writeDropped, writeExchange } from './log-line.ts';
import { isBusy, type LogSink, openSink } from './log-sink.ts';

/** Whole lines: a block of our own, or one from a thread. */
interface Batch {
  readonly bytes: Buffer;
  readonly done: () => void;
}

export interface AccessLogOptions {
  /** A descriptor (1 is stdout), the name of a file, or anything that takes bytes. */
  readonly destination: number | string | LogSink;
  /** A line waits no longer than that for company. */
  readonly flushMs?: number;
  /** Lines in memory, those under way included. */
  readonly maxPendingBytes?: number;
  /** Told of lines dropped since it was last told, at the first one and then every 10 s at most. Must not throw. */
  readonly onDrop?: (dropped: number) => void;
  readonly wallMs?: () => number;
  /** Lines that are written out in one go: one by one, between all else that a request takes, they cost 1.3 µs more each. */
  readonly linesAtOnce?: number;
  /** close() waits no longer than that for the destination. */
  readonly closeMs?: number;
}

/** What a pipe takes at once on Linux. */
const BATCH_BYTES = 65_536;
/** With room for the line that goes beyond. */
const BLOCK_BYTES = BATCH_BYTES + 8_192;
/** Blocks that are kept for later: one is written while the other one fills. */
const SPARE_BLOCKS = 2;
const LINES_AT_ONCE = 64;
const FLUSH_MS = 100;
const MAX_PENDING_BYTES = 4_194_304;
const TELL_DROPS_MS = 10_000;
const CLOSE_MS = 2_000;

export class AccessLog {
  readonly #sink: LogSink;
  readonly #flushMs: number;
  readonly #maxPendingBytes: number;
  readonly #onDrop: (dropped: number) => void;
  readonly #wallMs: () => number;
  readonly #closeMs: number;
  readonly #linesAtOnce: number;
  /** Not written out yet. */
  readonly #exchanges: ExchangeRecord[] = [];
  readonly #ids: string[] = [];
  #block = new LineBlock(BLOCK_BYTES);
  readonly #spare: LineBlock[] = [];
  /** What waits to be written, oldest first; the first one may be under way. */
  readonly #batches: Batch[] = [];
  /** Octets of the first one that have been written. */
  #written = 0;
  /** Octets of our own lines in `#batches`. */
  #waiting = 0;
  #isWriting = false;
  #timer: NodeJS.Timeout | null = null;
  #waiters: (() => void)[] = [];
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #unreported = 0;
  #dropped = 0;
  #toldDropped = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #errors = 0;

  /** Throws when a file cannot be opened. */
  constructor(options: AccessLogOptions) {
    const { destination } = options;
    this.#sink = typeof destination === 'object' ? destination : openSink(destination);
    this.#flushMs = options.flushMs ?? FLUSH_MS;
    this.#maxPendingBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES;
    this.#onDrop = options.onDrop ?? (() => {});
    this.#wallMs = options.wallMs ?? Date.now;
    this.#closeMs = options.closeMs ?? CLOSE_MS;
    this.#linesAtOnce = options.linesAtOnce ?? LINES_AT_ONCE;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes that failed since the start. */
  get errors(): number {
    return this.#errors;
  }

  /** `id`: of the request, as `lockstep explain --request` takes it. */
  write(exchange: ExchangeRecord, id: string): void {
    if (this.#closing !== null) {
      this.#drop();
      return;
    }
    this.#exchanges.push(exchange);
    this.#ids.push(id);
    if (this.#exchanges.length >= this.#linesAtOnce) this.#writeOut();
    if (this.#block.length >= BATCH_BYTES && !this.#isWriting && this.#batches.length === 0) this.#start();
    else this.#schedule();
  }

  #writeOut(): void {
    const exchanges = this.#exchanges;
    for (let i = 0; i < exchanges.length; i++) this.#writeLine(exchanges[i]!, this.#ids[i]!);
    exchanges.length = 0;
    this.#ids.length = 0;
  }

  #writeLine(exchange: ExchangeRecord, id: string): void {
    const longest = longestLine(exchange);
    if (this.#block.room < longest) this.#nextBlock(longest);
    const block = this.#block;
    const before = block.length;
    writeExchange(block, exchange, id);
    if (this.#waiting + block.length > this.#maxPendingBytes) {
      block.cutTo(before);
      this.#drop();
    }
  }

  /** `done` is called when the block has left, or after close(), when it never will. */
  append(bytes: Buffer, done: () => void): void {
    if (this.#isClosed) {
      done();
      return;
    }
    this.#writeOut();
    this.#nextBlock(0);
    this.#batches.push({ bytes, done });
    if (!this.#isWriting) this.#start();
  }

  /** Resolves when everything written so far has left, or an attempt to do so has failed. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      if (!this.#isWriting) this.#start();
    });
  }

  /** Flushes, then closes the destination. What it does not take by then is dropped. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    if (this.#unreported > 0) this.#reportDropped();
    // A reader that has stopped must not keep the process from ending.
    const giveUp = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp.resolve, this.#closeMs);
    await Promise.race([this.flush(), giveUp.promise]);
    clearTimeout(timer);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isClosed = true;
    for (const { done } of this.#batches.splice(0)) done();
    await this.#sink.close();
  }

  #drop(): void {
    this.#dropped++;
    this.#unreported++;
    const now = this.#wallMs();
    if (Math.abs(now - this.#toldAt) < TELL_DROPS_MS) return;
    this.#onDrop(this.#dropped - this.#toldDropped);
    this.#toldDropped = this.#dropped;
    this.#toldAt = now;
  }

  /** After the lines that still found room, which is where the others are missing. */
  #reportDropped(): void {
    if (this.#block.room < BLOCK_BYTES - BATCH_BYTES) this.#nextBlock(0);
    writeDropped(this.#block, this.#unreported, this.#wallMs());
    this.#unreported = 0;
  }

  /** The one in hand waits to be written; the next has room for `bytes` at least. */
  #nextBlock(bytes: number): void {
    const block = this.#block;
    if (block.length > 0) {
      this.#batches.push({ bytes: block.written, done: () => this.#reuse(block) });
      this.#waiting += block.length;
    }
    const spare = bytes <= BLOCK_BYTES ? this.#spare.pop() : undefined;
    this.#block = spare ?? new LineBlock(Math.max(bytes, BLOCK_BYTES));
  }

  #reuse(block: LineBlock): void {
    this.#waiting -= block.length;
    if (this.#spare.length >= SPARE_BLOCKS || block.room + block.length > BLOCK_BYTES) return;
    block.cutTo(0);
    this.#spare.push(block);
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isWriting) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#isWriting) this.#start();
    }, this.#flushMs);
    this.#timer.unref();
  }

  /** Only while no write is under way. */
  #start(): void {
    this.#writeOut();
    if (this.#batches.length === 0) this.#nextBlock(0);
    const first = this.#batches[0];
    if (first === undefined) {
      this.#release();
      return;
    }
    this.#isWriting = true;
    const { bytes } = first;
    const left = this.#written === 0 ? bytes : bytes.subarray(this.#written);
    this.#sink.write(left, (error, count) => this.#ended(error, count));
  }

  #ended(error: Error | null, count: number): void {
    this.#isWriting = false;
    this.#written += count;
    const first = this.#batches[0]!;
    if (this.#written >= first.bytes.length) {
      this.#batches.shift();
      this.#written = 0;
      first.done();
    }
    if (error !== null) {
      if (!isBusy(error)) this.#errors++;
      this.#release();
      if (this.#closing === null) this.#schedule();
      return;
    }
    if (this.#unreported > 0) this.#reportDropped();
    const hasMore = this.#batches.length > 0 || this.#block.length >= BATCH_BYTES || this.#waiters.length > 0;
    if (hasMore) this.#start();
    else if (this.#block.length > 0 || this.#exchanges.length > 0) this.#schedule();
  }

  #release(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
