// The gateway's own log: pino, with everything redacted that opens a door.
// It goes to stderr, because a batch of the access log on stdout may be written in parts, and a line of this log
// between two parts would tear both.

import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const SECRETS = ['authorization', 'cookie', 'set-cookie', 'token', 'tokens', 'keys', 'pinKeys', 'password'];
/** At the top, in an object of the line, in its headers. */
const REDACTED = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]);
/** Beyond that lines are lost rather than memory: the reader of stderr has stopped. */
const MAX_PENDING_BYTES = 1_048_576;

export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  return pino(
    { name: 'lockstep', level, redact: { paths: REDACTED, censor: '[redacted]' } },
    destination ?? stderr(),
  );
}

/** Not pino's own destination: that one waits for a stopped reader of a pipe, in the thread pool, even at exit. */
function stderr(): DestinationStream {
  // Nobody reads any more: that is no reason to stop serving.
  process.stderr.on('error', () => {});
  return {
    write(line) {
      if (process.stderr.writableLength < MAX_PENDING_BYTES) process.stderr.write(line);
    },
  };
}
