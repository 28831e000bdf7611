// Asset memory on a real disk: what survives a restart, a kill and damage, and what goes when it is full, old or cut off.

import * as disk from 'node:fs/promises';
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Asset } from '../../../src/assets/asset.ts';
import { AssetMemory, type MemoryFiles } from '../../../src/assets/memory.ts';
import type { AssetMemoryPolicy } from '../../../src/core/policy.ts';

const KIB = 1_024;
const DAY = 86_400_000;
const POLICY: AssetMemoryPolicy = { maxBytes: 1_024 * KIB, maxFileBytes: 64 * KIB, maxAgeMs: 30 * DAY };
const HOST = 'shop.example';

let folder: string;
let nowMs: number;
let holder: { isLost: boolean; isHeld: () => Promise<boolean> };
let troubles: unknown[];
let recoveries: number;
let damaged: string[];
let open: AssetMemory[];

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'assets-')), 'assets');
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  holder = { isLost: false, isHeld: async () => true };
  troubles = [];
  recoveries = 0;
  damaged = [];
  open = [];
});

afterEach(async () => {
  for (const memory of open) await memory.close();
  await rm(join(folder, '..'), { recursive: true, force: true });
});

async function start(policy: Partial<AssetMemoryPolicy> = {}, files?: MemoryFiles): Promise<AssetMemory> {
  const memory = await AssetMemory.open(
    folder,
    { ...POLICY, ...policy },
    {
      holder,
      wallMs: () => nowMs,
      onTrouble: (error) => troubles.push(error),
      onWell: () => recoveries++,
      onDamaged: ({ target }) => damaged.push(target),
      ...(files && { files }),
    },
  );
  open.push(memory);
  return memory;
}

const named = (version: string, target: string, host = HOST, scheme: Asset['scheme'] = 'https') => ({
  version,
  scheme,
  host,
  target,
});

/** False when it could not be written. */
async function keep(
  memory: AssetMemory,
  version: string,
  target: string,
  content: string,
  host = HOST,
  scheme: Asset['scheme'] = 'https',
): Promise<boolean> {
  const writer = await memory.write();
  if (writer === null) return false;
  await writer.write(Buffer.from(content.slice(0, 3)));
  await writer.write(Buffer.from(content.slice(3)));
  const written = await memory.finish(writer);
  if (written === null) return false;
  const representation = {
    coding: '',
    etag: '"1"',
    lastModified: '',
    fields: ['Content-Type', 'text/javascript'],
  };
  const representations = [{ ...representation, ...written }];
  await memory.keep({ ...named(version, target, host, scheme), varying: [], keptAt: nowMs, representations });
  return true;
}

async function content(memory: AssetMemory, asset: Asset | null): Promise<string | null> {
  if (asset === null) return null;
  const [first] = asset.representations;
  const read = await memory.read(asset, first!);
  return read === null ? null : text(read(0, first!.length - 1));
}

const bodies = () => readdir(join(folder, 'bodies'));
const index = () => join(folder, 'index');

describe('what was kept', () => {
  it('is found by version, host and target, and by no other', async () => {
    const memory = await start();
    await keep(memory, 'v1', '/a.js', 'one');
    expect(await content(memory, memory.find(named('v1', '/a.js')))).toBe('one');
    expect(memory.find(named('v2', '/a.js'))).toBeNull();
    expect(memory.find(named('v1', '/a.js', 'other.example'))).toBeNull();
    expect(memory.find(named('v1', '/a.js?1'))).toBeNull();
  });

  it('is another with TLS than without', async () => {
    const memory = await start();
    await keep(memory, 'v1', '/a.js', 'with', HOST, 'https');
    const without = named('v1', '/a.js', HOST, 'http');
    expect(memory.find(without)).toBeNull();
    await keep(memory, 'v1', '/a.js', 'without', HOST, 'http');
    expect(await content(memory, memory.find(named('v1', '/a.js')))).toBe('with');
    expect(await content(memory, memory.find(without))).toBe('without');
    expect(memory.findAny({ scheme: 'http', host: HOST, target: '/a.js' })).toHaveLength(1);
    memory.sweep(new Set(), new Set(['v1']));
    expect(memory.assets).toBe(0);
  });

  it('is found whatever its version, the latest first', async () => {
    const memory = await start();
    await keep(memory, 'v1', '/a.js', 'one');
    nowMs += 1_000;
    await keep(memory, 'v2', '/a.js', 'two');
    expect(
      memory.findAny({ scheme: 'https', host: HOST, target: '/a.js' }).map(({ version }) => version),
    ).toEqual(['v2', 'v1']);
    expect(memory.findAny({ scheme: 'https', host: HOST, target: '/b.js' })).toEqual([]);
  });

  it('lies on the disk once, whoever has it', async () => {
    const memory = await start();
    await keep(memory, 'v1', '/a.js', 'the same');
    await keep(memory, 'v2', '/a.js', 'the same');
    await keep(memory, 'v2', '/b.js', 'another');
    expect(await bodies()).toHaveLength(2);
    expect(memory.assets).toBe(3);
  });

  it('gives way to what is kept in its place', async () => {
    const memory = await start();
    await keep(memory, 'v1', '/a.js', 'old');
    await keep(memory, 'v1', '/a.js', 'new');
    expect(await content(memory, memory.find(named('v1', '/a.js')))).toBe('new');
    expect(memory.assets).toBe(1);
    await expect.poll(bodies).toHaveLength(1);
  });

  it('has at most eight queries of one path', async () => {
    const memory = await start();
    for (let i = 0; i < 8; i++) {
      expect(memory.hasRoomFor(named('v1', `/a.js?${i}`))).toBe(true);
      await keep(memory, 'v1', `/a.js?${i}`, `content ${i}`);
    }
    expect(memory.hasRoomFor(named('v1', '/a.js?8'))).toBe(false);
    expect(memory.hasRoomFor(named('v2', '/a.js?8'))).toBe(true);
    expect(memory.hasRoomFor(named('v1', '/b.js'))).toBe(true);
  });

  it('is not pushed out by hosts that clients make up', async () => {
    const memory = await start();
    for (let i = 0; i < 32; i++) {
      expect(memory.hasRoomFor(named('v1', '/a.js', `${i}.example`))).toBe(true);
      await keep(memory, 'v1', '/a.js', 'the same', `${i}.example`);
    }
    expect(memory.hasRoomFor(named('v1', '/a.js', '32.example'))).toBe(false);
    expect(memory.hasRoomFor(named('v2', '/a.js', '32.example'))).toBe(true);
    expect(memory.hasRoomFor(named('v1', '/b.js', '32.example'))).toBe(true);
    memory.sweep(new Set(['v2']), new Set(['v1']));
    expect(memory.hasRoomFor(named('v1', '/a.js', '32.example'))).toBe(true);
  });

  it('is not mixed up with what a memory that was closed was writing still', async () => {
    const before = await start();
    const late = (await before.write())!;
    await late.write(Buffer.from('late'));
    await before.close();
    const memory = await start();
    const writer = (await memory.write())!;
    await writer.write(Buffer.from('one'));
    await late.finish().catch(() => {});
    const written = await memory.finish(writer);
    expect(written).not.toBeNull();
    expect(await readFile(join(folder, 'bodies', written!.body), 'utf8')).toBe('one');
    expect(troubles).toEqual([]);
  });
});

describe('after a restart', () => {
  it('all of it is there again', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await before.close();
    const after = await start();
    expect(await content(after, after.find(named('v1', '/a.js')))).toBe('one');
    expect(after.find(named('v1', '/a.js'))!.representations[0]!.fields).toEqual([
      'Content-Type',
      'text/javascript',
    ]);
  });

  it('that nobody announced as well', async () => {
    await keep(await start(), 'v1', '/a.js', 'one');
    const after = await start();
    expect(await content(after, after.find(named('v1', '/a.js')))).toBe('one');
  });

  it('what was dropped stays dropped', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    before.sweep(new Set(), new Set(['v1']));
    await keep(before, 'v1', '/b.js', 'two');
    const after = await start();
    expect(after.find(named('v1', '/a.js'))).toBeNull();
    expect(after.find(named('v1', '/b.js'))).not.toBeNull();
  });

  it('a body that was half written is cleared away, and one that nobody names', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await before.close();
    await writeFile(join(folder, 'bodies', '7.tmp'), 'hal');
    await writeFile(join(folder, 'bodies', 'f'.repeat(64)), 'nobody names it');
    await start();
    expect(await bodies()).toHaveLength(1);
  });

  it('an index that was cut in a line gives all lines before', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await keep(before, 'v1', '/b.js', 'two');
    await before.close();
    const { length } = await readFile(index());
    const cut = (await readFile(index(), 'utf8')).indexOf('/b.js') + 3;
    await truncate(index(), cut);
    expect(cut).toBeLessThan(length);
    const after = await start();
    expect(await content(after, after.find(named('v1', '/a.js')))).toBe('one');
    expect(after.find(named('v1', '/b.js'))).toBeNull();
  });

  it('a line that was changed counts for nothing, the next ones do', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await keep(before, 'v1', '/b.js', 'two');
    await before.close();
    await writeFile(index(), (await readFile(index(), 'utf8')).replace('/a.js', '/x.js'));
    const after = await start();
    expect(after.find(named('v1', '/x.js'))).toBeNull();
    expect(await content(after, after.find(named('v1', '/b.js')))).toBe('two');
  });

  it('what was written without its scheme is not taken for either, and cleared away', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await before.close();
    const lines = (await readFile(index(), 'utf8')).split('\n').map((line) => {
      const old = line.slice(9).replace('"scheme":"https",', '');
      return old === '' ? '' : `${crc32(old).toString(16).padStart(8, '0')} ${old}`;
    });
    await writeFile(index(), lines.join('\n'));
    const after = await start();
    expect([after.assets, await bodies()]).toEqual([0, []]);
    expect(await keep(after, 'v1', '/a.js', 'one')).toBe(true);
  });

  it('rubbish in place of the index is an empty memory', async () => {
    await keep(await start(), 'v1', '/a.js', 'one');
    await writeFile(index(), Buffer.from([0, 255, 10, 13, 10, 200]));
    const after = await start();
    expect(after.assets).toBe(0);
    expect(await keep(after, 'v1', '/a.js', 'one')).toBe(true);
  });
});

describe('a damaged body', () => {
  it('is dropped and never given', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'alert(1)');
    await keep(before, 'v1', '/b.js', 'two');
    await before.close();
    const path = join(folder, 'bodies', before.find(named('v1', '/a.js'))!.representations[0]!.body);
    await writeFile(path, 'alert(2)');
    const after = await start();
    const asset = after.find(named('v1', '/a.js'));
    expect(await content(after, asset)).toBeNull();
    expect(damaged).toEqual(['/a.js']);
    expect(after.find(named('v1', '/a.js'))).toBeNull();
    expect(await content(after, after.find(named('v1', '/b.js')))).toBe('two');
  });

  it('of another length is not even listed', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'alert(1)');
    await before.close();
    await appendFile(
      join(folder, 'bodies', before.find(named('v1', '/a.js'))!.representations[0]!.body),
      '!',
    );
    expect((await start()).assets).toBe(0);
  });

  it('that is gone is dropped when it is asked for', async () => {
    await keep(await start(), 'v1', '/a.js', 'one');
    const after = await start();
    await rm(join(folder, 'bodies'), { recursive: true });
    expect(await content(after, after.find(named('v1', '/a.js')))).toBeNull();
    expect(after.assets).toBe(0);
  });
});

describe('bounds', () => {
  it('in octets: what was of use longest ago goes first', async () => {
    const memory = await start({ maxBytes: 64 * KIB });
    for (let i = 0; i < 4; i++) {
      await keep(memory, 'v1', `/${i}.js`, String(i).repeat(12 * KIB));
      nowMs += 1_000;
    }
    memory.used(named('v1', '/0.js'));
    nowMs += 1_000;
    await keep(memory, 'v1', '/4.js', '4'.repeat(12 * KIB));
    expect(memory.octets).toBeLessThanOrEqual(64 * KIB);
    expect(memory.find(named('v1', '/1.js'))).toBeNull();
    expect(memory.find(named('v1', '/0.js'))).not.toBeNull();
    expect(memory.find(named('v1', '/4.js'))).not.toBeNull();
    await expect.poll(async () => (await bodies()).length).toBe(memory.assets);
  });

  it('in octets: versions that take traffic go last', async () => {
    const memory = await start({ maxBytes: 64 * KIB });
    for (let i = 0; i < 2; i++) await keep(memory, 'live', `/${i}.js`, `l${i}`.repeat(6 * KIB));
    memory.sweep(new Set(['live']), new Set());
    nowMs += 1_000;
    for (let i = 0; i < 4; i++) await keep(memory, 'past', `/${i}.js`, `p${i}`.repeat(6 * KIB));
    expect(memory.find(named('live', '/0.js'))).not.toBeNull();
    expect(memory.find(named('live', '/1.js'))).not.toBeNull();
    expect(memory.octets).toBeLessThanOrEqual(64 * KIB);
  });

  it('in octets, when they are set lower', async () => {
    const memory = await start();
    for (let i = 0; i < 4; i++) await keep(memory, 'v1', `/${i}.js`, String(i).repeat(12 * KIB));
    memory.configure({ ...POLICY, maxBytes: 32 * KIB });
    expect(memory.octets).toBeLessThanOrEqual(32 * KIB);
    expect(memory.assets).toBe(2);
  });

  it('in age: counted from when it was of use, or its version took traffic', async () => {
    const memory = await start();
    await keep(memory, 'live', '/a.js', 'one');
    await keep(memory, 'past', '/a.js', 'two');
    await keep(memory, 'past', '/b.js', 'three');
    for (let day = 0; day < 31; day++) {
      memory.sweep(new Set(['live']), new Set());
      nowMs += DAY;
      if (day === 10) memory.used(named('past', '/b.js'));
    }
    memory.sweep(new Set(), new Set());
    expect(memory.find(named('past', '/a.js'))).toBeNull();
    expect(memory.find(named('past', '/b.js'))).not.toBeNull();
    expect(memory.find(named('live', '/a.js'))).not.toBeNull();
    nowMs += 29 * DAY;
    memory.sweep(new Set(), new Set());
    expect(memory.find(named('live', '/a.js'))).not.toBeNull();
    nowMs += 2 * DAY;
    memory.sweep(new Set(), new Set());
    expect(memory.assets).toBe(0);
  });

  it('in age, over a restart', async () => {
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    nowMs += 20 * DAY;
    before.sweep(new Set(['v1']), new Set());
    await keep(before, 'v1', '/b.js', 'two');
    nowMs += 20 * DAY;
    const after = await start();
    after.sweep(new Set(), new Set());
    expect(after.assets).toBe(2);
    nowMs += 11 * DAY;
    after.sweep(new Set(), new Set());
    expect(after.assets).toBe(0);
  });

  it('of what was cut off: nothing of it is left', async () => {
    const memory = await start();
    await keep(memory, 'bad', '/a.js', 'one');
    await keep(memory, 'good', '/a.js', 'two');
    memory.sweep(new Set(['good']), new Set(['bad']));
    expect(
      memory.findAny({ scheme: 'https', host: HOST, target: '/a.js' }).map(({ version }) => version),
    ).toEqual(['good']);
    await expect.poll(bodies).toHaveLength(1);
  });
});

describe('a disk that is full', () => {
  const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

  /** Real files, until `isFull`. */
  function files(state: { isFull: boolean }): MemoryFiles {
    return {
      ...disk,
      open: async (path, flags, mode) => {
        const handle = await disk.open(path, flags, mode);
        for (const name of ['writeFile', 'appendFile'] as const) {
          const original = handle[name].bind(handle) as (...args: unknown[]) => Promise<void>;
          handle[name] = (async (...args: unknown[]) => {
            if (state.isFull) throw full();
            await original(...args);
          }) as never;
        }
        return handle;
      },
    };
  }

  it('stops the keeping with one word, and nothing else; it goes on when there is room', async () => {
    const state = { isFull: false };
    const memory = await start({}, files(state));
    await keep(memory, 'v1', '/a.js', 'one');
    state.isFull = true;
    const writer = await memory.write();
    await writer!.write(Buffer.from('two')).catch((error) => memory.trouble(error));
    await writer!.discard();
    expect(troubles).toHaveLength(1);
    expect(await keep(memory, 'v1', '/b.js', 'two')).toBe(false);
    expect(troubles).toHaveLength(1);
    expect(await content(memory, memory.find(named('v1', '/a.js')))).toBe('one');
    expect(await bodies()).toHaveLength(1);
    state.isFull = false;
    nowMs += 61_000;
    expect(await keep(memory, 'v1', '/b.js', 'two')).toBe(true);
    expect(recoveries).toBe(1);
    expect(await content(memory, memory.find(named('v1', '/b.js')))).toBe('two');
  });

  it('tears no line that others stand behind', async () => {
    const state = { isFull: false };
    const memory = await start({}, files(state));
    await keep(memory, 'v1', '/a.js', 'one');
    state.isFull = true;
    memory.sweep(new Set(['v1']), new Set());
    await expect.poll(() => troubles.length).toBe(1);
    await appendFile(index(), '0badc0de {"kept":'); // what a disk may have taken of it
    state.isFull = false;
    nowMs += 61_000;
    await keep(memory, 'v1', '/b.js', 'two');
    const after = await start();
    expect(after.assets).toBe(2);
  });
});

describe('a gateway that lost the state directory to another', () => {
  it('writes nothing over what its successor keeps, when it ends before it has noticed', async () => {
    holder = { isLost: false, isHeld: async () => false };
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    holder = { isLost: false, isHeld: async () => true };
    const successor = await start();
    await keep(successor, 'v1', '/b.js', 'two');
    await before.close();
    const after = await start();
    expect(await content(after, after.find(named('v1', '/a.js')))).toBe('one');
    expect(await content(after, after.find(named('v1', '/b.js')))).toBe('two');
  });

  it('neither keeps nor removes anything once it knows, and gives what it has', async () => {
    const lost = { isLost: false, isHeld: async () => true };
    holder = lost;
    const before = await start();
    await keep(before, 'v1', '/a.js', 'one');
    await keep(before, 'v2', '/b.js', 'two');
    holder = { isLost: false, isHeld: async () => true };
    const successor = await start();
    const written = await readFile(index(), 'utf8');
    Object.assign(lost, { isLost: true, isHeld: async () => false });
    before.sweep(new Set(), new Set(['v1']));
    expect(await keep(before, 'v1', '/c.js', 'three')).toBe(false);
    expect(await content(before, before.find(named('v2', '/b.js')))).toBe('two');
    await before.close();
    expect(await readFile(index(), 'utf8')).toBe(written);
    expect(await bodies()).toHaveLength(2);
    expect(await content(successor, successor.find(named('v1', '/a.js')))).toBe('one');
  });
});

describe('the index', () => {
  it('does not grow with what is past', async () => {
    const memory = await start();
    for (let i = 0; i < 1_600; i++) await keep(memory, 'v1', '/a.js', `content ${i % 2}`);
    expect((await readFile(index(), 'utf8')).split('\n').length).toBeLessThan(1_500);
    expect(memory.assets).toBe(1);
  });
});
