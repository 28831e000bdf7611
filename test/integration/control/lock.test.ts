import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedError, StateLock } from '../../../src/control/lock.ts';
import { isGone, thisProcess } from '../../../src/control/process-identity.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { handClock } from '../../unit/control/hand-clock.ts';

const CHILD = new URL('./lock-child.ts', import.meta.url).pathname;
/** /proc tells whether a process is gone; elsewhere only the heartbeat does. */
const hasProc = process.platform === 'linux';

let folder: string;
let locks: StateLock[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-lock-'));
  locks = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const lock of locks) await lock.release();
  await rm(folder, { recursive: true, force: true });
});

async function take(more: Partial<Parameters<typeof StateLock.take>[1]> = {}): Promise<StateLock> {
  const lock = await StateLock.take(folder, { clock: handClock(), onLost: () => {}, ...more });
  locks.push(lock);
  return lock;
}

/** `held` or `refused`, as the process found it. */
async function takeInChild(): Promise<{ child: ChildProcess; word: string }> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [word] = await once(createInterface(child.stdout!), 'line');
  return { child, word: String(word) };
}

async function writeLock(number: number, holder: object): Promise<string> {
  const path = join(folder, `lock.${number}`);
  await writeFile(
    path,
    JSON.stringify({ ...(await thisProcess()), hostname: 'other', released: false, ...holder }),
  );
  return path;
}

const ago = (path: string, seconds: number) => {
  const at = Date.now() / 1000 - seconds;
  return utimes(path, at, at);
};

describe('the lock of a state directory', () => {
  it('refuses a second gateway and names the first', async () => {
    const { child } = await takeInChild();
    await expect(take()).rejects.toThrow(LockedError);
    await expect(take()).rejects.toThrow(`process ${child.pid} on ${hostname()}`);
  });

  it('refuses a second one in the same process', async () => {
    await take();
    await expect(take()).rejects.toThrow(LockedError);
  });

  it('is free again after its release, at once', async () => {
    const lock = await take();
    await lock.release();
    await lock.release();
    expect(await lock.isHeld()).toBe(false);
    expect(await (await take()).isHeld()).toBe(true);
  });

  it('makes the directory', async () => {
    folder = join(folder, 'deep', 'state');
    expect(await (await take()).isHeld()).toBe(true);
  });

  it('leaves one file behind, however often it changes hands', async () => {
    for (let round = 0; round < 5; round++) await (await take()).release();
    expect(await readdir(folder)).toEqual(['lock.5']);
  });

  it.skipIf(!hasProc)('is taken over at once after kill -9', async () => {
    const { child } = await takeInChild();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await (await take()).isHeld()).toBe(true);
  });

  it.skipIf(!hasProc)(
    'is taken over at once when the process number belongs to another process',
    async () => {
      await writeLock(7, { startTime: '1' });
      await take();
      expect(await readdir(folder)).toEqual(['lock.8']);
    },
  );

  it.skipIf(!hasProc)('is not taken from a live process however old its heartbeat', async () => {
    await ago(await writeLock(1, {}), 3600);
    await expect(take()).rejects.toThrow(LockedError);
  });

  it.each([
    { name: 'another machine or container', holder: { world: 'another boot pid:[1]' } },
    { name: 'a machine that tells nothing', holder: { world: '' } },
  ])('of $name is kept while its heart beats and taken over 10 s after', async ({ holder }) => {
    const path = await writeLock(1, holder);
    await expect(take()).rejects.toThrow('on other, which was heard of in the last 10 s');
    await ago(path, 9);
    await expect(take()).rejects.toThrow(LockedError);
    await ago(path, 11);
    expect(await (await take()).isHeld()).toBe(true);
  });

  it('whose holder did not come to write its name is taken over when it is old', async () => {
    const path = join(folder, 'lock.1');
    await writeFile(path, '');
    await ago(path, 11);
    expect(await (await take()).isHeld()).toBe(true);
  });

  it('beats', async () => {
    const clock = handClock();
    const lock = await take({ clock });
    const path = join(folder, 'lock.1');
    for (let beat = 0; beat < 2; beat++) {
      await ago(path, 60);
      await waitFor(() => clock.waiting === 1, { what: 'the next beat' });
      clock.advance(2_000);
      await waitFor(async () => Date.now() - (await stat(path)).mtimeMs < 30_000, { what: 'a beat' });
    }
    await lock.release();
    expect(clock.waiting).toBe(0);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid, released: true });
  });

  it('tells the old holder, once, that another gateway took over', async () => {
    let told = 0;
    const lock = await take({ self: { pid: 1, startTime: '', world: '' }, onLost: () => told++ });
    await ago(join(folder, 'lock.1'), 11);
    await take();
    expect([await lock.isHeld(), await lock.isHeld(), told]).toEqual([false, false, 1]);
    await lock.release();
    expect(JSON.parse(await readFile(join(folder, 'lock.2'), 'utf8'))).toMatchObject({ released: false });
  });

  it('goes to exactly one of many that find a dead holder at the same time', async () => {
    for (let round = 0; round < 20; round++) {
      const path = await writeLock(1 + 100 * round, { world: '' });
      await ago(path, 11);
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => take()));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LockedError);
        else await result.value.release();
      }
    }
  });

  it('goes to exactly one of several processes', async () => {
    await ago(await writeLock(1, { world: '' }), 11);
    const found = await Promise.all(Array.from({ length: 4 }, takeInChild));
    expect(found.map(({ word }) => word).sort()).toEqual(['held', 'refused', 'refused', 'refused']);
  });
});

describe('whether a process is gone', () => {
  it.skipIf(!hasProc)('is told of this one, of its number used again and of one that never was', async () => {
    const self = await thisProcess();
    expect(await isGone(self)).toBe(false);
    expect(await isGone({ ...self, startTime: '0' })).toBe(true);
    expect(await isGone({ ...self, pid: 2 ** 22 + 1 })).toBe(true);
    expect(await isGone({ ...self, world: 'elsewhere' })).toBe('unknown');
  });
});
