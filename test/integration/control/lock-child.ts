// A process of its own that takes the lock of a state directory, says how that went, and holds on to it.

import { systemClock } from '../../../src/control/clock.ts';
import { LockedError, StateLock } from '../../../src/control/lock.ts';

const folder = process.argv[2]!;
try {
  await StateLock.take(folder, { clock: systemClock, onLost: () => {} });
  process.stdout.write('held\n');
  setInterval(() => {}, 60_000);
} catch (error) {
  if (!(error instanceof LockedError)) throw error;
  process.stdout.write('refused\n');
}
