// V8's young generation while the gateway starts. It doubles whenever much of it survives a collection, and at a start all
// of it does: modules. It would stand at 14 MB when the first request comes, and stay there, for nothing.

import { setFlagsFromString } from 'node:v8';

/** V8's own; it looks at this flag each time it is about to grow. */
const GROWTH = 2;

/** Holds it at 1 MB until the answer is called; from then on it grows with the traffic. */
export function holdYoungGeneration(): () => void {
  const growBy = (factor: number) => setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  growBy(1);
  return () => growBy(GROWTH);
}
