#!/usr/bin/env node
// Starts the command: the built one (dist/) or the sources, which Node runs by stripping their types.
// A package has dist/ only. In a clone, a dist/ that is older than anything under src/ counts as not built: what runs is
// always what src/ says now. Plain JavaScript that old Nodes can parse, so that a too old one gets a sentence instead of
// a syntax error.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import * as module from 'node:module';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  const { main } = await import(isBuilt() ? '../dist/gateway/main.js' : sources());
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

/** What Node makes of them (types stripped, compiled) is kept in the clone: the second start takes half the time. */
function sources() {
  module.enableCompileCache?.(here('../node_modules/.cache/node-compile'));
  return '../src/cli/main.ts';
}

/** The build starts by removing dist/, so any of its files is as old as all of it. Folders tell of removed sources. */
function isBuilt() {
  const built = here('../dist/gateway/main.js');
  const sources = here('../src/');
  if (!existsSync(built)) return false;
  if (!existsSync(`${sources}cli/main.ts`)) return true;
  const builtMs = statSync(built).mtimeMs;
  const places = ['', ...readdirSync(sources, { recursive: true })];
  return places.every((place) => statSync(sources + place).mtimeMs < builtMs);
}
