// A connection to an upstream on which a write that fails is not the end. Node destroys a socket at once when a write has
// failed, and with it what waits to be read: an upstream that answers 413 and resets while the body still goes up would
// lose its answer (HARDENING T10). Here what is written after that goes nowhere, and reading goes on to the end of what the
// kernel holds, which is never far behind: the connection is dead.

import { DirectSocket, type WriteCallback } from './direct-socket.ts';

export class UpstreamSocket extends DirectSocket {
  #hasWriteFailed = false;
  /** Of the write under way: streams make one at a time. */
  #callback: WriteCallback | null = null;
  readonly #onWritten: WriteCallback = (error) => {
    if (error) this.#hasWriteFailed = true;
    const callback = this.#callback;
    this.#callback = null;
    callback?.();
  };

  /** The kernel has told the reason by failing the write, so the end that reading comes to looks like an ordinary one. */
  get hasWriteFailed(): boolean {
    return this.#hasWriteFailed;
  }

  override send(data: Buffer | string): boolean {
    return this.#hasWriteFailed ? this.write(data as string, 'latin1') : super.send(data);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    if (this.#hasWriteFailed) {
      callback();
      return;
    }
    this.#callback = callback;
    super._write(chunk, encoding, this.#onWritten);
  }

  override _writev(
    chunks: { readonly chunk: unknown; readonly encoding: BufferEncoding }[],
    callback: WriteCallback,
  ): void {
    if (this.#hasWriteFailed) {
      callback();
      return;
    }
    this.#callback = callback;
    super._writev!(chunks, this.#onWritten);
  }
}
