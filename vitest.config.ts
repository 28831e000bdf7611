import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** In CI a scenario that lost a race against the machine's other tenants is run once more, and reported as such. */
const retry = process.env['CI'] === 'true' ? 1 : 0;
const setupFiles = ['test/kit/seeded-properties.ts'];

/** What starts listeners or processes. */
const system = {
  environment: 'node',
  setupFiles,
  // Hundreds of gateways and threads are started from the same sources: without it each strips their types anew.
  env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile') },
  testTimeout: 60_000,
  hookTimeout: 60_000,
  retry,
} as const;

/** Judged by time, CPU or memory, or so heavy that those beside them would be: one at a time, with nothing beside them. */
const ALONE = [
  'test/integration/{stalled-loop,wire-pipeline-memory-is-bounded}.test.ts',
  'test/integration/core/ledger-of-threads.test.ts',
  ...[
    'access-log-disk-full,bodies,clients-without-cookies,descriptors-run-out,log-flood,perf-guard,slow-attacks,slow-readers',
    'soak,stalls-and-clocks,ten-thousand-connections,tiny-chunks,two-thousand-websockets,*-under-load',
  ].map((names) => `test/e2e/{${names}}.test.ts`),
];

// Unit tests (and those of the kit itself) come first; then what mostly waits, some files beside each other on the two cores
// that a machine may have; then what Chromium sees, and what judges how the gateway does under load, file by file.
export default defineConfig({
  test: {
    // `.ci/run` counts from the file.
    reporters:
      process.env['CI'] === 'true'
        ? ['default', ['json', { outputFile: 'node_modules/.cache/test-results.json' }]]
        : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/kit/**/*.test.ts'],
          environment: 'node',
          setupFiles,
          // No module of ours holds state, so that one read of them serves many files: half of the time of this project.
          isolate: false,
          // Properties run hundreds of cases; how long that takes is no property of theirs.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...system,
          name: 'system',
          include: ['test/{contract,integration,e2e}/**/*.test.ts'],
          exclude: ALONE,
          // On two cores: most of them wait for clocks, and two left a third of the time unused.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...system,
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          // Pages wait for each other's clocks and for deploys; a browser has threads of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...system,
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
