// Programs that a test needs besides Node. A missing one is named and its tests are skipped; with CI=true they fail.
// `scripts/test-tools` installs them where it can.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Tool =
  | 'haproxy'
  | 'chromium'
  | 'curl'
  | 'wrk'
  | 'slowhttptest'
  | 'nginx'
  | 'redis-server'
  | 'promtool'
  | 'openssl'
  | 'bash'
  | 'zsh'
  | 'fish'
  | 'varnishtest'
  | 'prlimit'
  | 'ip';

/** The program's path, or null. Debian keeps servers in /usr/sbin, which is not on everybody's PATH. */
export function findTool(tool: Tool): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, tool)).find(isExecutable) ?? null;
}

/**
 * For `describe.skipIf(!needsTool('haproxy'))`: true when the tool is there. Otherwise says so by name, and throws
 * under CI=true, so that a machine that should have it cannot pass by skipping.
 */
export function needsTool(tool: Tool): boolean {
  if (findTool(tool) !== null) return true;
  const sentence = `${tool} is not installed (scripts/test-tools installs it as root); the tests that need it`;
  if (process.env['CI'] === 'true') throw new Error(`${sentence} fail`);
  process.stderr.write(`${sentence} are skipped\n`);
  return false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
