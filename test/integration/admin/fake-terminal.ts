// A terminal that remembers what was written to it, and that a test can interrupt.

import type { Terminal } from '../../../src/cli/terminal.ts';

export interface FakeTerminal {
  readonly terminal: Terminal;
  /** Grows. */
  readonly ran: { out: string; err: string };
  interrupt(): void;
}

export function fakeTerminal(more: Partial<Terminal> = {}): FakeTerminal {
  const ran = { out: '', err: '' };
  const interrupt = new AbortController();
  const terminal: Terminal = {
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
    isWatched: false,
    colour: false,
    columns: 80,
    screen: null,
    env: {},
    nowMs: Date.now,
    timeZone: 'UTC',
    interruptible: () => interrupt.signal,
    ...more,
  };
  return { terminal, ran, interrupt: () => interrupt.abort() };
}
