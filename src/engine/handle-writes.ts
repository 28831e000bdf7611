// How this Node's sockets write to their handles, learnt from Node itself: its writes to the handle of a socket are looked
// at until one has shown how they are called and what a write that left at once answers. Where they are called in a way that
// is not known here, nothing is learnt, and nobody writes past the stream (direct-socket.ts).
// Known is how Node 26 does it: `null` and the data; 0 when all of it has left, the number of an error, or the request of
// what has not left yet.

import { WriteBatch } from './write-batch.ts';

/** Of a write whose data, or the rest of it, waits for the peer. */
export interface WriteRequest {
  /** Keeps the data while it waits. */
  buffer: unknown;
  oncomplete: (status: number) => void;
  /** The status where it was complete before anybody could ask to be told; else null. */
  writeStatus: number | null;
}

/** 0: all of it has left. Below: an error. */
export type WriteResult = number | WriteRequest;

export interface WritableHandle {
  writeLatin1String(request: null, text: string): WriteResult;
  writeBuffer(request: null, octets: Buffer): WriteResult;
}

const METHODS = ['writeLatin1String', 'writeBuffer'] as const;
type Method = (typeof METHODS)[number];

export class HandleWrites {
  /** What waits for the end of the turn. */
  readonly batch = new WriteBatch();
  /** Handles may be written to. */
  isKnown = false;
  /** It was seen that they may not. */
  #isStrange = false;

  /** Looks at the next write to this handle, while there is something to be learnt. */
  watch(handle: WritableHandle | null): void {
    if (handle === null || this.isKnown || this.#isStrange) return;
    if (METHODS.every((method) => typeof handle[method] === 'function')) {
      for (const method of METHODS) this.#watch(handle, method);
    } else this.#isStrange = true;
  }

  #watch(handle: WritableHandle, method: Method): void {
    const original = handle[method] as (...given: unknown[]) => unknown;
    const watched = (...given: unknown[]): unknown => {
      for (const one of METHODS) delete (handle as Partial<WritableHandle>)[one];
      const result = original.apply(handle, given);
      this.#learn(given, result);
      return result;
    };
    Object.defineProperty(handle, method, { value: watched, configurable: true });
  }

  #learn([request, data, ...more]: readonly unknown[], result: unknown): void {
    const isData = typeof data === 'string' || data instanceof Uint8Array;
    if (request !== null || !isData || more.length > 0) this.#isStrange = true;
    else if (result === 0) this.isKnown = !this.#isStrange;
  }
}
