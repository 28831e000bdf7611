// What is going on while a command waits: one line that is written over where somebody watches, nothing where nobody does.

import type { Terminal } from './terminal.ts';

export interface Progress {
  show(line: string): void;
  /** Said once for each time that the gateway is gone, even when nobody watches. */
  lost(line: string): void;
  clear(): void;
}

export function progressOn(terminal: Terminal): Progress {
  let isLost = false;
  let isShown = false;
  const clear = () => {
    if (isShown) terminal.err('\r\u001b[K');
    isShown = false;
  };
  return {
    show: (line) => {
      isLost = false;
      if (!terminal.isWatched) return;
      clear();
      terminal.err(line.slice(0, terminal.columns - 1));
      isShown = true;
    },
    lost: (line) => {
      clear();
      if (!isLost) terminal.err(`lockstep: ${line}\n`);
      isLost = true;
    },
    clear,
  };
}
