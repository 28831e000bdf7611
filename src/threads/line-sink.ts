// A thread's access log: batches like any other, but they go to the control thread, which alone writes. Two writers of one
// pipe would tear each other's lines (a write of more than 4 KiB is not atomic), and so would two of one full disk.
// One block of 64 KiB, about 150 lines, costs both threads together 70 to 80 µs of CPU: half a microsecond a line.

import { AccessLog } from '../observe/access-log.ts';
import type { LogSink } from '../observe/log-sink.ts';

/** At most one block is under way. */
export class LineSink implements LogSink {
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void;
  #onLeft: () => void = () => {};

  constructor(send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send;
  }

  write(bytes: Buffer, done: (error: Error | null, written: number) => void): void {
    const { length } = bytes;
    this.#onLeft = () => done(null, length);
    // A copy that can be handed over: small buffers are parts of a pool.
    this.#send(new Uint8Array(bytes));
  }

  /** The block has left. */
  left(): void {
    const onLeft = this.#onLeft;
    this.#onLeft = () => {};
    onLeft();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** `onDrop`: so many lines were dropped. */
export function openLines(sink: LineSink, onDrop: (dropped: number) => void): AccessLog {
  return new AccessLog({ destination: sink, onDrop });
}
