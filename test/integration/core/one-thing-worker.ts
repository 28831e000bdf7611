// A worker that does nothing but what must not stay half done in the shared ledger, so that whenever it is ended it most likely
// is in the middle of that.

import { workerData } from 'node:worker_threads';
import { Ledger, type LedgerHandle } from '../../../src/core/sessions.ts';

export interface OneThing {
  readonly handle: LedgerHandle;
  readonly nowMs: number;
  /** Its rounds so far. */
  readonly rounds: Int32Array;
}

const { handle, nowMs, rounds } = workerData as OneThing;
const ledger = Ledger.attach(handle, 0);
for (let round = 0; ; round++) {
  const session = `M${String(round % 350).padStart(15, '0')}`;
  ledger.touch(session, 1, 0, nowMs);
  for (let times = 0; times < 4; times++) {
    ledger.streamOpened(session, 1, nowMs);
    ledger.streamClosed(session, 1, nowMs);
  }
  ledger.mint(1 + (round % 200), nowMs);
  Atomics.add(rounds, 0, 1);
}
