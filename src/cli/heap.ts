// How V8's heap grows in a gateway: for what it holds, not for what passes through it.

import { setFlagsFromString } from 'node:v8';

/** V8's own; it looks at this flag each time it is about to grow. */
const GROWTH = 2;
/**
 * Of what lives, before the old generation is collected. V8's own choice is up to three times as much: where many sessions take
 * turns, heads and pins that were remembered and came no more made it four times what lived (130,000 requests of 100,000
 * sessions: 333 MiB of heap, now 199). Sessions that come back leave nothing there, so that it costs them nothing.
 */
const OLD_GROWTH_PERCENT = 40;

/** To be called once, before there are other threads: they grow alike. */
export function growOldGenerationSlowly(): void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`);
}

/**
 * Holds the young generation at 1 MB until the answer is called; from then on it grows with the traffic. It doubles whenever much
 * of it survives a collection, and at a start all of it does: modules. It would stand at 14 MB when the first request comes,
 * and stay there, for nothing.
 */
export function holdYoungGeneration(): () => void {
  const growBy = (factor: number) => setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  growBy(1);
  return () => growBy(GROWTH);
}
