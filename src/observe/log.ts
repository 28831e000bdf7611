// The gateway's own log: pino, with everything redacted that opens a door, and a limiter for warnings that repeat.
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

export interface LogLimiterOptions {
  readonly windowMs: number;
  /** Lines of one message in a window. */
  readonly perWindow: number;
  readonly nowMs: () => number;
}

/** Messages beyond that share one allowance: a flood of ever new ones is a flood all the same. */
const MOST_MESSAGES = 1_024;
const OTHERS = '';

interface Window {
  startedAt: number;
  lines: number;
  suppressed: number;
}

/** Keeps a flood of the same warning to a few lines, which count the others (HARDENING T22). */
export class LogLimiter {
  readonly #log: Pick<Log, 'warn'>;
  readonly #options: LogLimiterOptions;
  readonly #windows = new Map<string, Window>();

  constructor(log: Pick<Log, 'warn'>, options: Partial<LogLimiterOptions> = {}) {
    this.#log = log;
    this.#options = { windowMs: 10_000, perWindow: 5, nowMs: Date.now, ...options };
  }

  /** `suppressed` in the line says how many of this message were not written since the one before. */
  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const suppressed = this.#take(message);
    if (suppressed !== null) this.#log.warn(suppressed > 0 ? { ...fields, suppressed } : fields, message);
  }

  #take(message: string): number | null {
    const { windowMs, perWindow, nowMs } = this.#options;
    const now = nowMs();
    const window = this.#window(message, now);
    // A clock set back must not silence it for good.
    if (Math.abs(now - window.startedAt) >= windowMs) {
      window.startedAt = now;
      window.lines = 0;
    }
    if (window.lines >= perWindow) {
      window.suppressed++;
      return null;
    }
    window.lines++;
    const { suppressed } = window;
    window.suppressed = 0;
    return suppressed;
  }

  #window(message: string, now: number): Window {
    const known = this.#windows.get(message);
    if (known !== undefined) return known;
    if (this.#windows.size >= MOST_MESSAGES && message !== OTHERS) return this.#window(OTHERS, now);
    const window = { startedAt: now, lines: 0, suppressed: 0 };
    this.#windows.set(message, window);
    return window;
  }
}
