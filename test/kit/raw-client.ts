// A client that sends exact bytes and reads answers strictly. It waits for what can be observed (an answer, the end of
// the connection), each wait bounded; it never guesses that silence means "nothing more comes": `finish` half-closes
// instead and reads until the other side ends.

import { connect, type Socket } from 'node:net';
import { type Message, readAnswer } from './strict-http.ts';
import { waitFor } from './wait-for.ts';

export interface RawClient {
  readonly socket: Socket;
  /** Everything received so far. */
  received(): Buffer;
  /** How the other side ended the connection; null while it is open. */
  ended(): 'fin' | 'reset' | null;
  /** Resolves when handed to the kernel; a connection that is gone is no error (see `ended`). */
  send(bytes: Buffer | string): Promise<void>;
  /** One write to the kernel for each byte. */
  sendByteByByte(bytes: Buffer | string): Promise<void>;
  /** The next answer, 1xx included. Throws on one that is not strictly clean, and when none comes. */
  answer(method?: string, timeoutMs?: number): Promise<Message>;
  /** The next answer that is no 1xx. */
  finalAnswer(method?: string, timeoutMs?: number): Promise<Message>;
  /** Received, and not consumed by `answer`. */
  rest(): Buffer;
  /** Resolves when more octets come, or the connection ends. */
  happens(): Promise<void>;
  halfClose(): void;
  /** Resolves when the other side has ended the connection. */
  waitForEnd(timeoutMs?: number): Promise<'fin' | 'reset'>;
  /** Ends the connection with a RST. */
  reset(): void;
  close(): void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RawClientOptions {
  /** Sees answers as they come, and not at a look a moment later, when what the gateway does after them is mostly done, too. */
  readonly isPrompt?: boolean;
}

export async function rawClient(
  to: Address,
  { isPrompt = false }: RawClientOptions = {},
): Promise<RawClient> {
  const socket = connect({ host: to.host, port: to.port, noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  let ended: 'fin' | 'reset' | null = null;
  let consumed = 0;
  let next = Promise.withResolvers<void>();
  const happens = (): Promise<void> => next.promise;
  const tell = (): void => {
    next.resolve();
    next = Promise.withResolvers();
  };
  const looks = isPrompt ? { everyMs: 20, sooner: happens } : { everyMs: 2 };
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('data', (part: Buffer) => {
    parts.push(part);
    tell();
  });
  const end = (how: 'fin' | 'reset') => (): void => {
    ended ??= how;
    tell();
  };
  socket.on('end', end('fin'));
  socket.on('error', end('reset'));
  socket.on('close', end('fin'));

  const received = (): Buffer => {
    if (parts.length > 1) parts.splice(0, parts.length, Buffer.concat(parts));
    return parts[0] ?? Buffer.alloc(0);
  };
  const send = (bytes: Buffer | string): Promise<void> =>
    new Promise((resolve) => {
      if (ended !== null || !socket.writable) resolve();
      else socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
  const answer = (method = 'GET', timeoutMs = 5_000): Promise<Message> =>
    waitFor(
      () => {
        const reading = readAnswer(received(), consumed, method, ended === 'fin');
        if (reading.state === 'broken') return { fault: reading.fault };
        if (reading.state === 'incomplete') {
          return ended === null ? null : { fault: `the connection ended (${ended}) before a whole answer` };
        }
        consumed = reading.end;
        return { message: reading.message };
      },
      { what: `an answer to ${method}`, timeoutMs, ...looks },
    ).then((found) => {
      if ('message' in found) return found.message;
      throw new Error(
        `${found.fault}: ${JSON.stringify(received().toString('latin1', consumed, consumed + 400))}`,
      );
    });

  return {
    socket,
    received,
    ended: () => ended,
    send,
    sendByteByByte: async (bytes) => {
      const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
      for (let at = 0; at < buffer.length && ended === null; at++) await send(buffer.subarray(at, at + 1));
    },
    answer,
    finalAnswer: async (method, timeoutMs) => {
      for (;;) {
        const message = await answer(method, timeoutMs);
        if (message.status >= 200 || message.status === 101) return message;
      }
    },
    rest: () => received().subarray(consumed),
    happens,
    halfClose: () => {
      if (!socket.destroyed) socket.end();
    },
    waitForEnd: (timeoutMs = 5_000) =>
      waitFor(() => ended, { what: 'the other side to end the connection', timeoutMs, ...looks }),
    reset: () => {
      socket.resetAndDestroy();
    },
    close: () => {
      socket.destroy();
    },
  };
}
