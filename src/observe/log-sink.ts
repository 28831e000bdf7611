// Where the access log's bytes go, without ever blocking the event loop.
// process.stdout writes to files and terminals synchronously, so these are written through fs in the thread pool. To a
// pipe it does not block, whereas a thread of the pool would wait in it for a reader that has stopped, and the process
// could not even exit. Files are opened O_NONBLOCK for the same reason: one may be a named pipe.

import { close, constants, fstatSync, openSync, write } from 'node:fs';

export interface LogSink {
  /** `done` is called once, later, with how many of the bytes were taken, also when there was an error after them. */
  write(bytes: Buffer, done: (error: Error | null, written: number) => void): void;
  close(): Promise<void>;
}

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;

/** 1 is stdout, 2 is stderr; other descriptors and files by name. Throws when a file cannot be opened. */
export function openSink(destination: number | string): LogSink {
  if (typeof destination === 'string') {
    return descriptorSink(openSync(destination, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640), true);
  }
  const stats = fstatSync(destination);
  const isPipe = stats.isFIFO() || stats.isSocket();
  if (isPipe && destination === 1) return streamSink(process.stdout);
  if (isPipe && destination === 2) return streamSink(process.stderr);
  return descriptorSink(destination, false);
}

/** True when a write should simply be tried again later. */
export function isBusy(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

function streamSink(stream: NodeJS.WriteStream): LogSink {
  // The reader may leave; each write tells so on its own.
  stream.on('error', ignore);
  return {
    write(bytes, done) {
      stream.write(bytes, (error) => done(error ?? null, error ? 0 : bytes.length));
    },
    close() {
      stream.off('error', ignore);
      return Promise.resolve();
    },
  };
}

function descriptorSink(fd: number, isOurs: boolean): LogSink {
  return {
    write(bytes, done) {
      write(fd, bytes, 0, bytes.length, null, (error, written) => done(error, error === null ? written : 0));
    },
    close: () => new Promise((resolve) => (isOurs ? close(fd, () => resolve()) : resolve())),
  };
}

function ignore(): void {}
