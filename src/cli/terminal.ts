// What a command may know of the world around it: where it writes, whether people watch, the environment, and the
// clock. main.ts makes one of the process; tests make their own.

export interface Terminal {
  /** Results: goes to stdout. */
  readonly out: (text: string) => void;
  /** Errors, warnings and progress: goes to stderr. */
  readonly err: (text: string) => void;
  /** People watch the progress: stderr is a terminal. */
  readonly isWatched: boolean;
  readonly colour: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: () => number;
  /** IANA name; undefined is the machine's own. */
  readonly timeZone: string | undefined;
  /** From now on an interrupt (Ctrl-C) aborts this instead of ending the process. */
  readonly interruptible: () => AbortSignal;
}

/** NO_COLOR by no-color.org: set and not empty. */
export function wantsColour(isTerminal: boolean, env: Terminal['env']): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isWatched: process.stderr.isTTY === true,
    colour: wantsColour(process.stdout.isTTY === true, process.env),
    env: process.env,
    nowMs: Date.now,
    timeZone: undefined,
    interruptible: () => {
      const interrupt = new AbortController();
      process.once('SIGINT', () => interrupt.abort());
      return interrupt.signal;
    },
  };
}
