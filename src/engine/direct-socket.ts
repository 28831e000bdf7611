// A socket that hands what it sends straight to its handle while nothing waits before it. The stream around the handle took
// a sixth of a small request's time in user mode, and of nearly every write it has nothing to do: it left at once.
// What did not leave, or failed, is the stream's again: it is written to it as usual, and where the stream hands it on it
// meets what the handle has answered. So queue, drain, errors and ends are the stream's own, in the order that they have.
// Before that, small texts wait for the end of the turn (write-batch.ts). Nobody sees it: whatever else is done with the socket
// comes behind them, but for a destroy, which loses them as it does what the stream holds.

import { Socket, type SocketConstructorOpts } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { HandleWrites, WritableHandle, WriteResult } from './handle-writes.ts';

/** Characters of a text that waits: below what a stream takes before it asks for a rest. */
const MOST_WAITING = 4_096;

export type WriteCallback = (error?: Error | null) => void;

interface HandleOwner {
  _handle: (WritableHandle & { close(): void }) | null;
}

export class DirectSocket extends Socket {
  readonly #writes: HandleWrites | null;
  /** Text that leaves at the end of this turn, and who is told then. */
  #waiting = '';
  #tell: ((hasLeft: boolean) => void) | null = null;
  /** What the handle has answered to the data that is being written to the stream; 0 for none. */
  #answered: WriteResult = 0;

  /** `writes`: null to write through the stream always. */
  constructor(options?: SocketConstructorOpts, writes: HandleWrites | null = null) {
    super(options);
    this.#writes = writes;
    writes?.watch((this as unknown as HandleOwner)._handle);
  }

  /** As `write`, texts as latin1. */
  send(data: Buffer | string): boolean {
    if (typeof data !== 'string' || this.#waiting.length + data.length > MOST_WAITING) {
      this.sendWaiting();
      return this.#sendNow(data);
    }
    if (this.#waiting !== '') {
      this.#waiting += data;
      return true;
    }
    if (this.#freeHandle() === null) return this.write(data, 'latin1');
    this.#waiting = data;
    this.#writes!.batch.add(this);
    return true;
  }

  /** For who waits no longer. */
  sendWaiting(): void {
    const text = this.#waiting;
    if (text === '') return;
    this.#waiting = '';
    const tell = this.#tell;
    this.#tell = null;
    if (this.destroyed) return;
    this.#sendNow(text);
    tell?.(this.#freeHandle() !== null);
  }

  #sendNow(data: Buffer | string): boolean {
    const handle = this.#freeHandle();
    if (handle === null) return this.write(data as string, 'latin1');
    const answered =
      typeof data === 'string' ? handle.writeLatin1String(null, data) : handle.writeBuffer(null, data);
    if (answered === 0) return true;
    this.#answered = answered;
    const isReady = this.write(data as string, 'latin1');
    // The stream has not asked for it: it knows of something that we do not, and what has left must not leave twice.
    if (this.#answered !== 0) this.destroy();
    return isReady;
  }

  /**
   * Tells, when what waits has been sent, whether all that was sent has left and nothing is left for the stream to do. At once
   * if nothing waits; never if anything else is done with the socket before.
   */
  settle(tell: (hasLeft: boolean) => void): void {
    if (this.#waiting === '') tell(this.#freeHandle() !== null);
    else this.#tell = tell;
  }

  /**
   * Once it is settled: the kernel sends what it has taken, and then the end. What the peer has sent and nobody has read makes it
   * a reset. The stream would shut its side down, wait for the peer's end, tell of both and close, in several turns of the
   * loop and three system calls more: a quarter of what a connection costs that brings one request.
   */
  closeAtOnce(): void {
    const owner = this as unknown as HandleOwner;
    const handle = owner._handle!;
    owner._handle = null;
    handle.close();
    this.emit('close', false);
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    this.#sendFirst();
    return super.write(chunk as string, encoding as BufferEncoding, callback as WriteCallback);
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    this.#sendFirst();
    return super.end(chunk as string, encoding as BufferEncoding, callback as () => void);
  }

  override cork(): void {
    this.#sendFirst();
    super.cork();
  }

  override resetAndDestroy(): this {
    this.#sendFirst();
    return super.resetAndDestroy();
  }

  #sendFirst(): void {
    this.#tell = null;
    this.sendWaiting();
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    const answered = this.#answered;
    if (answered === 0) {
      super._write(chunk, encoding, callback);
      return;
    }
    this.#answered = 0;
    if (typeof answered === 'number') {
      callback(systemError(answered));
      return;
    }
    answered.buffer = chunk;
    answered.oncomplete = (status) => callback(status < 0 ? systemError(status) : null);
    if (answered.writeStatus !== null) answered.oncomplete(answered.writeStatus);
  }

  /** Null where the stream has the say: something waits or is being written, it is corked, connecting or over. */
  #freeHandle(): HandleOwner['_handle'] {
    if (this.#writes?.isKnown !== true || this.writableLength > 0 || this.connecting) return null;
    if (this.writableCorked > 0 || this.writableEnded || this.errored !== null || this.destroyed) return null;
    return (this as unknown as HandleOwner)._handle;
  }
}

function systemError(status: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' });
}
