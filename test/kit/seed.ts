// What random tests draw from: something else each time, so that they come upon more as time goes by, but in CI, where a
// red run must mean the change. `npm run fuzz` is for finding; LOCKSTEP_FUZZ_SEED repeats what was found. Names of tests
// that draw have the seed in them.

const IN_CI = 20_261_126;

export const SEED: number = Number(
  process.env['LOCKSTEP_FUZZ_SEED'] ?? (process.env['CI'] === 'true' ? IN_CI : Date.now() % 1_000_000_000),
);
