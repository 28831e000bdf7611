// What a command may know of the world around it: where it writes, whether people watch, the environment, and the
// clock. main.ts makes one of the process; tests make their own.

import { COLUMNS } from './text.ts';

/** Below, lines are broken by the terminal itself. */
const NARROWEST = 40;

const ENDING_SIGNALS = ['SIGTERM', 'SIGHUP'] as const;

export interface Terminal {
  /** Results: goes to stdout. */
  readonly out: (text: string) => void;
  /** Errors, warnings and progress: goes to stderr. */
  readonly err: (text: string) => void;
  /** People watch the progress: stderr is a terminal. */
  readonly isWatched: boolean;
  readonly colour: boolean;
  /** Of stdout now; 80 where it is no terminal. */
  readonly columns: number;
  /** Null where stdout is no terminal, or one that cannot move its cursor. */
  readonly screen: Screen | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: () => number;
  /** IANA name; undefined is the machine's own. */
  readonly timeZone: string | undefined;
  /** From now on an interrupt (Ctrl-C), or one of these, aborts this instead of ending the process: once. Its name is the reason. */
  readonly interruptible: (also?: readonly NodeJS.Signals[]) => AbortSignal;
}

/** For views that are redrawn in place. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Writes the first text; the answer, and the end of the process in whatever way, write the second, once. */
  readonly enter: (enter: string, leave: string) => () => void;
  /** Each key that is pressed, unseen on the screen; Ctrl-C is `\u0003`. The answer ends it. */
  readonly onKey: (listener: (key: string) => void) => () => void;
  readonly onResize: (listener: () => void) => () => void;
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
    get columns() {
      return columnsOf(process.stdout, process.env);
    },
    screen: processScreen(),
    colour: wantsColour(process.stdout.isTTY === true, process.env),
    env: process.env,
    nowMs: Date.now,
    timeZone: undefined,
    interruptible: (also = []) => {
      const interrupt = new AbortController();
      for (const signal of ['SIGINT', ...also] as const) process.once(signal, () => interrupt.abort(signal));
      return interrupt.signal;
    },
  };
}

/** COLUMNS is what shells export of a terminal that is not this process's own. */
export function columnsOf(
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number },
  env: Terminal['env'],
): number {
  if (isTTY === true && columns !== undefined && columns > 0) return Math.max(columns, NARROWEST);
  const said = /^\d{1,4}$/.test(env['COLUMNS'] ?? '') ? Number(env['COLUMNS']) : COLUMNS;
  return Math.max(said, NARROWEST);
}

function processScreen(): Screen | null {
  const { stdout, stdin } = process;
  if (stdout.isTTY !== true || process.env['TERM'] === 'dumb') return null;
  return {
    get columns() {
      return columnsOf(stdout, process.env);
    },
    get rows() {
      return stdout.rows;
    },
    enter: (enter, leave) => {
      let isIn = true;
      const onEnd = () => {
        if (isIn) stdout.write(leave);
        isIn = false;
      };
      // A signal that ends the process ends no screen.
      const onSignal = () => process.exit(1);
      stdout.write(enter);
      process.once('exit', onEnd);
      for (const signal of ENDING_SIGNALS) process.once(signal, onSignal);
      return () => {
        process.off('exit', onEnd);
        for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
        onEnd();
      };
    },
    onKey: (listener) => {
      if (stdin.isTTY !== true) return () => {};
      const onData = (keys: Buffer) => {
        for (const key of keys.toString()) listener(key);
      };
      stdin.setRawMode(true);
      stdin.on('data', onData);
      return () => {
        stdin.off('data', onData);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
    onResize: (listener) => {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
  };
}
