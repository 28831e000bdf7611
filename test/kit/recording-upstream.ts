// An upstream that judges: it reads every request with the strict reader, keeps what was unsafe or leaked, and answers
// each whole request with what it saw of it, so that a client can tell its own answer from another's.

import type { Socket } from 'node:net';
import { type RawUpstream, startRawUpstream } from './raw-upstream.ts';
import { type Message, readRequest } from './strict-http.ts';

export interface RecordingUpstream {
  readonly upstream: RawUpstream;
  /** Whole requests since the last `forget`, of all connections, in the order they were complete. */
  requests(): readonly Message[];
  /** What a strict peer would have refused, and what should not have been passed on. */
  faults(): readonly string[];
  leaks(): readonly string[];
  /** Connections that are open with a part of a request on them. */
  unfinished(): number;
  forget(): void;
  stop(): Promise<void>;
}

/** What `startRecordingUpstream` answers with, as JSON. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** The field by which a client tells this upstream's answers from the gateway's own. */
export const RECORDER_FIELD = 'x-recorder';

/** `respond` may answer a request in its own way; true when it did. */
export async function startRecordingUpstream(
  respond: (request: Message, socket: Socket) => boolean = () => false,
): Promise<RecordingUpstream> {
  let requests: Message[] = [];
  let faults: string[] = [];
  const unfinished = new Set<number>();
  const upstream = await startRawUpstream(() => {
    let consumed = 0;
    return {
      onOpen: ({ socket, index }) => socket.on('close', () => unfinished.delete(index)),
      onBytes: ({ socket, index, received }) => {
        const bytes = received();
        for (;;) {
          const reading = readRequest(bytes, consumed);
          if (reading.state === 'broken') {
            faults.push(reading.fault);
            socket.resetAndDestroy();
            return;
          }
          if (reading.state === 'incomplete') break;
          consumed = reading.end;
          requests.push(reading.message);
          if (!respond(reading.message, socket)) socket.write(answerTo(reading.message));
        }
        if (consumed < bytes.length) unfinished.add(index);
        else unfinished.delete(index);
      },
    };
  });
  return {
    upstream,
    requests: () => requests,
    faults: () => faults,
    leaks: () => requests.flatMap((request) => request.leaks),
    unfinished: () => unfinished.size,
    forget: () => {
      requests = [];
      faults = [];
    },
    stop: () => upstream.stop(),
  };
}

function answerTo({ method, target, body }: Message): Buffer {
  const seen: Seen = { method, target, body: body.toString('latin1') };
  const content = method === 'HEAD' ? '' : JSON.stringify(seen);
  const length = Buffer.byteLength(JSON.stringify(seen));
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${RECORDER_FIELD}: 1\r\nContent-Length: ${length}\r\n\r\n`;
  return Buffer.from(head + content);
}
