// Servers by a file: written in place, replaced by renames as editors and ConfigMaps do, half-written, gone.

import { appendFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../src/control/clock.ts';
import type { ServersPorts } from '../../../src/servers/servers.ts';
import { type TemporaryFolder, temporaryFolder } from '../../kit/gateway-config.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { NO_DISCOVERY, openServers, type TestServers } from './sources.ts';

let folder: TemporaryFolder;
let file: string;
const opened: TestServers[] = [];
beforeEach(async () => {
  folder = await temporaryFolder('servers');
  file = join(folder.path, 'servers.txt');
});
afterEach(async () => {
  for (const { servers } of opened.splice(0)) await servers.stop();
  await folder.remove();
});

/** At the pace at which it really looks, so that what must come at once does by being heard of. */
async function open(more: Partial<ServersPorts> = {}): Promise<TestServers> {
  const made = await openServers({ ...NO_DISCOVERY, file }, { clock: systemClock, ...more });
  opened.push(made);
  made.servers.start();
  return made;
}

/** Nobody looks but when something was heard of the file. */
const onlyHeard: Clock = {
  ...systemClock,
  after: (ms, run) => (ms < 1_000 ? systemClock.after(ms, run) : () => {}),
};

async function knows(test: TestServers, ...addresses: readonly string[]): Promise<void> {
  await waitFor(() => test.addresses().join() === addresses.join(), { what: `${addresses}` });
}

/** The longest pause between two pieces. */
async function writeSlowly(text: string): Promise<number> {
  let longestMs = 0;
  await writeFile(file, '');
  for (const piece of text.match(/.{1,13}|\n/gs)!) {
    const startedAt = performance.now();
    await appendFile(file, piece);
    await sleep(30);
    longestMs = Math.max(longestMs, performance.now() - startedAt);
  }
  return longestMs;
}

async function tells(test: TestServers, ...sentences: readonly unknown[]): Promise<void> {
  await waitFor(() => test.told.length >= sentences.length, { what: 'what is told' });
  expect(test.told).toEqual(sentences);
}

describe('a file', () => {
  test('is read at the start, and when it is written anew', async () => {
    await writeFile(file, 'web01 http://10.0.0.1:8000\n');
    const test = await open();
    await knows(test, '10.0.0.1:8000');
    await writeFile(file, '- http://10.0.0.2:8000\n- http://10.0.0.3:8000\n');
    await knows(test, '10.0.0.2:8000', '10.0.0.3:8000');
    await writeFile(file, '["http://10.0.0.4:8000"]');
    await knows(test, '10.0.0.4:8000');
    await writeFile(file, '[]');
    await knows(test);
    expect(test.told).toEqual([]);
  });

  test('may come later, in a folder that comes later', async () => {
    file = join(folder.path, 'conf', 'servers.txt');
    const test = await open();
    await tells(test, `file ${file}: there is no such file`);
    await mkdir(join(folder.path, 'conf'));
    await writeFile(file, 'http://10.0.0.1:8000\n');
    await knows(test, '10.0.0.1:8000');
    expect(test.told[1]).toBe(`file ${file}: fine`);
  });

  test('is followed when another takes its place', async () => {
    await writeFile(file, 'http://10.0.0.1:8000\n');
    const test = await open({ clock: onlyHeard });
    await knows(test, '10.0.0.1:8000');
    for (const n of [2, 3]) {
      await writeFile(`${file}.new`, `http://10.0.0.${n}:8000\n`);
      await rename(`${file}.new`, file);
      await knows(test, `10.0.0.${n}:8000`);
    }
  });

  test('is followed through the links of a ConfigMap', async () => {
    const version = async (name: string, text: string) => {
      await mkdir(join(folder.path, name));
      await writeFile(join(folder.path, name, 'servers.txt'), text);
      await symlink(name, join(folder.path, '..data.new'));
      await rename(join(folder.path, '..data.new'), join(folder.path, '..data'));
    };
    await version('..2026_1', 'http://10.0.0.1:8000\n');
    await symlink('..data/servers.txt', file);
    const test = await open({ clock: onlyHeard });
    await knows(test, '10.0.0.1:8000');
    await version('..2026_2', 'http://10.0.0.2:8000\n');
    await rm(join(folder.path, '..2026_1'), { recursive: true });
    await knows(test, '10.0.0.2:8000');
    expect(test.told).toEqual([]);
  });

  test('that is not good leaves the servers that were known, and what is wrong is told with its lines', async () => {
    await writeFile(file, 'web01 http://10.0.0.1:8000\nweb02 http://10.0.0.2:8000\n');
    const whyNot = (address: string) => (address === '127.0.0.1:9090' ? 'where the admin API listens' : null);
    const test = await open({ whyNot });
    await knows(test, '10.0.0.1:8000', '10.0.0.2:8000');
    await writeFile(
      file,
      'web01 http://10.0.0.1:8000\nweb02 https://10.0.0.2:8000\nadmin http://127.0.0.1:9090\n',
    );
    await tells(
      test,
      `file ${file}: line 2: expected http://host:port, got "https://10.0.0.2:8000": TLS is not spoken here; line 3: expected a server of the application, got 127.0.0.1:9090, where the admin API listens`,
    );
    expect(test.addresses()).toEqual(['10.0.0.1:8000', '10.0.0.2:8000']);
    await writeFile(file, '');
    await waitFor(() => test.told.length === 2, { what: 'the empty file to be told' });
    expect(test.told[1]).toContain('expected at least one server, got none; write [] for none');
    await rm(file);
    await waitFor(() => test.told.length === 3, { what: 'the loss to be told' });
    expect(test.told[2]).toBe(`file ${file}: there is no such file`);
    expect(test.addresses()).toEqual(['10.0.0.1:8000', '10.0.0.2:8000']);
    expect(test.servers.sources.find(({ source }) => source === 'file')?.trouble?.why).toBe(
      'there is no such file',
    );
    await writeFile(file, 'http://10.0.0.2:8000\n');
    await knows(test, '10.0.0.2:8000');
    expect(test.told.at(-1)).toBe(`file ${file}: fine`);
  });

  test('is not believed while it is being written', async () => {
    await writeFile(file, 'web01 http://10.0.0.1:8000\n');
    const test = await open();
    await knows(test, '10.0.0.1:8000');
    const seen: string[] = [];
    test.servers.registry.onChange(() => seen.push(test.addresses().join()));
    const text = 'web01 http://10.0.0.1:8000\nweb02 http://10.0.0.2:8000\nweb03 http://10.0.0.3:8000\n';
    // Who pauses for longer than the file has to rest (200 ms), as a busy machine may, is believed: then once more.
    while ((await writeSlowly(text)) > 150) {
      await knows(test, '10.0.0.1:8000', '10.0.0.2:8000', '10.0.0.3:8000');
      await writeFile(file, 'web01 http://10.0.0.1:8000\n');
      await knows(test, '10.0.0.1:8000');
      seen.length = 0;
    }
    await knows(test, '10.0.0.1:8000', '10.0.0.2:8000', '10.0.0.3:8000');
    expect(seen).toEqual(['10.0.0.1:8000,10.0.0.2:8000,10.0.0.3:8000']);
    expect(test.told).toEqual([]);
  });

  test.each([
    { what: 'a folder', make: () => mkdir(file), says: 'it is no file' },
    {
      what: 'too long',
      make: () => writeFile(file, 'x'.repeat(1_048_577)),
      says: 'expected at most 1048576 bytes, got 1048577',
    },
  ])('that is $what is told', async ({ make, says }) => {
    await make();
    await tells(await open(), `file ${file}: ${says}`);
  });

  test('that is gone at the next start leaves what it said', async () => {
    await writeFile(file, 'http://10.0.0.1:8000\n');
    const first = await open();
    await knows(first, '10.0.0.1:8000');
    await first.servers.stop();
    await rm(file);
    const next = await openServers({ ...NO_DISCOVERY, file }, { stored: first.stored });
    opened.push(next);
    next.servers.start();
    await tells(next, `file ${file}: there is no such file`);
    expect(next.addresses()).toEqual(['10.0.0.1:8000']);
  });
});
