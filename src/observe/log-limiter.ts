// Keeps a flood of the same warning to a few lines, which count the others (HARDENING T22).

/** The gateway's own log has it, and so has what a thread tells the main one. */
export interface WarningLog {
  warn(fields: object, message: string): void;
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

export class LogLimiter {
  readonly #log: WarningLog;
  readonly #options: LogLimiterOptions;
  readonly #windows = new Map<string, Window>();

  constructor(log: WarningLog, options: Partial<LogLimiterOptions> = {}) {
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
