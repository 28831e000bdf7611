#!/usr/bin/env node
// Starts the command: the built one (dist/) in a package, else the sources, which Node runs by stripping their types.
// Plain JavaScript that old Nodes can parse, so that a too old one gets a sentence instead of a syntax error.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  const { main } = await import(
    existsSync(here('../dist/cli/main.js')) ? '../dist/cli/main.js' : '../src/cli/main.ts'
  );
  await main(process.argv.slice(2));
} else {
  // The machine's own Node is too old; a clone has a current one among its dev dependencies.
  const bundled = here('../node_modules/node/bin/node');
  if (!existsSync(bundled)) {
    process.stderr.write(
      `lockstep needs Node ${NEEDED} or newer; this is ${process.version}. In a clone, run "npm ci" first.\n`,
    );
    process.exit(1);
  }
  const child = spawn(bundled, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {}); // a terminal sends it to the child as well
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
