// Before each file of tests: in CI the properties of fast-check draw the same each time (seed.ts). Elsewhere they print
// the seed that failed.

import { SEED } from './seed.ts';

if (process.env['CI'] === 'true') {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ seed: SEED });
}
