import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Unit tests (and those of the kit itself) run side by side; everything that starts listeners or processes runs file by
// file, because the machines that run it may have two cores and the scenarios are about timing under load.
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
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/{contract,integration,e2e,browser}/**/*.test.ts'],
          environment: 'node',
          fileParallelism: false,
          // Hundreds of gateways and threads are started from the same sources: without it each strips their types anew.
          env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile') },
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // In CI a scenario that lost a race against the machine's other tenants is run once more, and reported as such.
          retry: process.env['CI'] === 'true' ? 1 : 0,
        },
      },
    ],
  },
});
