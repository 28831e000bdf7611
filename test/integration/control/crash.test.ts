// A gateway's control plane is killed (-9) at a random moment while an operator promotes back and forth, ten times over.
// Each change that was acknowledged before is there afterwards, the next one starts at once in spite of the lock, and the
// audit log has a line for each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { AuditLog } from '../../../src/control/audit-log.ts';
import { StateStore } from '../../../src/control/store.ts';

const CHILD = new URL('./crash-child.ts', import.meta.url).pathname;
const ROUNDS = 10;

/** Lets it acknowledge at least `changes` changes, and kills it after another random while; the last epoch acknowledged. */
async function runAndKill(
  folder: string,
  changes: number,
): Promise<{ epoch: number; refused: string | null }> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let epoch = 0;
  let refused: string | null = null;
  let acknowledged = 0;
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('refused')) refused = line;
    else epoch = Number(line);
    if (++acknowledged === changes) setTimeout(() => child.kill('SIGKILL'), Math.random() * 10);
    if (refused !== null) child.kill('SIGKILL');
  }
  await exited;
  return { epoch, refused };
}

it('M08 kill -9 at any moment loses no acknowledged change', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-crash-'));
  try {
    let latest = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { epoch, refused } = await runAndKill(folder, 1 + Math.floor(Math.random() * 8));
      expect(refused).toBeNull();
      expect(epoch).toBeGreaterThan(latest);
      const stored = await new StateStore(folder).load();
      // The one that was under way may have been stored and not told.
      expect([epoch, epoch + 1]).toContain(stored.epoch);
      expect(stored.active).toBe(stored.epoch % 2 === 0 ? 'v2' : 'v1');
      const audited = (await new AuditLog(folder).read(10_000)).map(({ epochAfter }) => epochAfter);
      const wanted = Array.from({ length: epoch - latest }, (_, index) => epoch - index);
      expect(audited).toEqual(expect.arrayContaining(wanted));
      latest = stored.epoch;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
