// The access log: one JSON line a request, written in batches and never by the request itself.
// Rules: at most one write is under way; when more than `maxPendingBytes` wait, lines are dropped and counted, and a
// line says so as soon as one can be written again; a destination that fails is tried again with the next batch.
// A batch that was written in part goes on where it stopped, so that no line is torn or doubled. For the same reason there
// is one writer: data-plane threads hand it their lines in blocks, and wait with the next one until it has left.

import type { ExchangeRecord } from '../core/exchange.ts';
import { formatDropped, formatExchange } from './log-line.ts';
import { isBusy, type LogSink, openSink } from './log-sink.ts';

/** Whole lines, from a thread. */
interface Block {
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
  /** close() waits no longer than that for the destination. */
  readonly closeMs?: number;
}

/** What a pipe takes at once on Linux. */
const BATCH_BYTES = 65_536;
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
  /** ASCII only, so its length is its bytes. */
  #lines = '';
  /** The batch under way, or the rest of one that failed. */
  #batch: Buffer | null = null;
  readonly #blocks: Block[] = [];
  /** Of the batch under way, when it is a block. */
  #onBatchDone: (() => void) | null = null;
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
    const line = formatExchange(exchange, id);
    const pending = this.#lines.length + (this.#batch?.length ?? 0);
    if (this.#closing !== null || pending + line.length > this.#maxPendingBytes) {
      this.#drop();
      return;
    }
    this.#lines += line;
    if (this.#lines.length >= BATCH_BYTES && this.#batch === null) this.#start();
    else this.#schedule();
  }

  /** `done` is called when the block has left, or after close(), when it never will. */
  append(bytes: Buffer, done: () => void): void {
    if (this.#isClosed) {
      done();
      return;
    }
    this.#blocks.push({ bytes, done });
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
    this.#onBatchDone?.();
    this.#onBatchDone = null;
    for (const { done } of this.#blocks.splice(0)) done();
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
    this.#lines += formatDropped(this.#unreported, this.#wallMs());
    this.#unreported = 0;
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
    if (this.#batch === null && this.#lines !== '') {
      this.#batch = Buffer.from(this.#lines, 'latin1');
      this.#lines = '';
    }
    const block = this.#batch === null ? this.#blocks.shift() : undefined;
    if (block !== undefined) {
      this.#batch = block.bytes;
      this.#onBatchDone = block.done;
    }
    if (this.#batch === null) {
      this.#release();
      return;
    }
    this.#isWriting = true;
    this.#sink.write(this.#batch, (error, written) => this.#ended(error, written));
  }

  #ended(error: Error | null, written: number): void {
    this.#isWriting = false;
    const batch = this.#batch!;
    this.#batch = written >= batch.length ? null : batch.subarray(written);
    if (this.#batch === null) {
      this.#onBatchDone?.();
      this.#onBatchDone = null;
    }
    if (error !== null) {
      if (!isBusy(error)) this.#errors++;
      this.#release();
      if (this.#closing === null) this.#schedule();
      return;
    }
    if (this.#unreported > 0) this.#reportDropped();
    const isFull = this.#lines.length >= BATCH_BYTES || this.#blocks.length > 0;
    const hasMore = this.#batch !== null || isFull || this.#waiters.length > 0;
    if (hasMore) this.#start();
    else if (this.#lines !== '') this.#schedule();
  }

  #release(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
