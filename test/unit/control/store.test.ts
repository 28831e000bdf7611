import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../src/control/durable-file.ts';
import { StateError, StateStore } from '../../../src/control/store.ts';
import { type Deployment, EMPTY_DEPLOYMENT } from '../../../src/core/deployment.ts';
import { deploymentOf } from './deployments.ts';

let folder: string;

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'lockstep-store-'));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const first = deploymentOf({ v1: 'active' }, { epoch: 1 });
const second = deploymentOf({ v1: 'active', v2: 'staged' }, { epoch: 2 });
const third = deploymentOf({ v1: 'active', v2: 'canary' }, { epoch: 3 });

async function saved(...deployments: readonly Deployment[]): Promise<StateStore> {
  const store = new StateStore(folder);
  await store.load();
  for (const deployment of deployments) await store.save(deployment);
  return store;
}

const load = () => new StateStore(folder).load();

describe('the stored state', () => {
  it('is the empty deployment when nothing was ever stored', async () => {
    expect(await load()).toEqual(EMPTY_DEPLOYMENT);
  });

  it('comes back as it was saved last', async () => {
    await saved(first, second, third);
    expect(await load()).toEqual(third);
  });

  it('keeps the one before beside it', async () => {
    await saved(first, second, third);
    await fs.rename(join(folder, 'state.previous.json'), join(folder, 'state.json'));
    expect(await load()).toEqual(second);
  });

  it('is for its own user only', async () => {
    await saved(first);
    expect((await fs.stat(join(folder, 'state.json'))).mode & 0o777).toBe(0o600);
  });

  it('T19 ignores and removes a temporary file that was half written', async () => {
    await saved(first);
    await fs.writeFile(join(folder, 'state.json.tmp'), '{"format":1,"depl');
    expect(await load()).toEqual(first);
    expect(await fs.readdir(folder)).toEqual(['state.json']);
  });
});

const damage: readonly { name: string; spoil: (text: string) => string; want: RegExp }[] = [
  { name: 'empty', spoil: () => '', want: /not JSON/ },
  { name: 'truncated', spoil: (text) => text.slice(0, text.length / 2), want: /not JSON/ },
  { name: 'zeros', spoil: (text) => '\0'.repeat(text.length), want: /not JSON/ },
  { name: 'another value', spoil: (text) => text.replace('9101', '9102'), want: /checksum/ },
  { name: 'no object', spoil: () => '[]', want: /no format number/ },
  { name: 'null', spoil: () => 'null', want: /not an object/ },
  { name: 'no deployment', spoil: () => '{"format":1}', want: /checksum/ },
  { name: 'a format that never was', spoil: () => '{"format":0}', want: /format 0 never was/ },
];

describe('T19 a damaged state file', () => {
  it.each(damage)('is refused, never taken for an empty one: $name', async ({ spoil, want }) => {
    await saved(first);
    const path = join(folder, 'state.json');
    await fs.writeFile(path, spoil(await fs.readFile(path, 'utf8')));
    const refusal = load();
    await expect(refusal).rejects.toThrow(StateError);
    await expect(refusal).rejects.toThrow(want);
    await expect(refusal).rejects.toThrow(path);
  });

  it('offers the previous state with the command that brings it back', async () => {
    await saved(first, second);
    const path = join(folder, 'state.json');
    await fs.writeFile(path, '{');
    await expect(load()).rejects.toThrow(`type: cp ${folder}/state.previous.json ${path}`);
    await fs.copyFile(join(folder, 'state.previous.json'), path);
    expect(await load()).toEqual(first);
  });

  it('is not answered with an empty one when the file is gone and the previous one is there', async () => {
    await saved(first, second);
    await fs.rm(join(folder, 'state.json'));
    await expect(load()).rejects.toThrow(/is missing.*cp /s);
  });

  it('does not offer a previous one that is damaged too', async () => {
    await saved(first, second);
    await fs.writeFile(join(folder, 'state.json'), '{');
    await fs.writeFile(join(folder, 'state.previous.json'), '{');
    const refusal = load();
    await expect(refusal).rejects.toThrow(/The one before it.*is damaged/s);
    await expect(refusal).rejects.not.toThrow(/cp /);
  });

  it('of a newer format asks for the newer Lockstep', async () => {
    await fs.writeFile(join(folder, 'state.json'), '{"format":2}');
    await expect(load()).rejects.toThrow(/format 2.*Start the newer Lockstep/s);
  });

  it('with a good checksum and a contradiction in it is refused', async () => {
    await saved({ ...first, active: 'v9' });
    await expect(load()).rejects.toThrow(/contradicts itself.*active/s);
  });

  it('that was only indented anew is as good as before', async () => {
    await saved(first);
    const path = join(folder, 'state.json');
    await fs.writeFile(path, JSON.stringify(JSON.parse(await fs.readFile(path, 'utf8'))));
    expect(await load()).toEqual(first);
  });
});

/** The process dies before its `after`th file operation; a write in that moment leaves half. */
function dying(after: number): { files: FileSystem; operations: () => number } {
  let operations = 0;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    if (operations++ >= after) throw Object.assign(new Error('EIO: died'), { code: 'EIO' });
    return run();
  };
  const files = {
    readFile: fs.readFile,
    mkdir: fs.mkdir,
    rename: (from: string, to: string) => step(() => fs.rename(from, to)),
    rm: (path: string, options: object) => step(() => fs.rm(path, options)),
    open: async (path: string, flags: string, mode?: number) => {
      const handle = await step(() => fs.open(path, flags, mode));
      return {
        sync: () => step(() => handle.sync()),
        close: () => handle.close(),
        writeFile: async (text: string) => {
          if (operations >= after) await handle.writeFile(text.slice(0, text.length / 2));
          await step(() => handle.writeFile(text));
        },
      };
    },
  };
  return { files: files as unknown as FileSystem, operations: () => operations };
}

describe('M08 a save that dies at any step', () => {
  it('leaves the old state or the new one, whole, and a good previous one', async () => {
    const outcomes: string[] = [];
    for (let after = 0; ; after++) {
      await fs.rm(folder, { recursive: true });
      await fs.mkdir(folder);
      await saved(first, second);
      const { files, operations } = dying(after + 2);
      const store = new StateStore(folder, files);
      await store.load();
      const isSaved = await store.save(third).then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(StateError);
          return false;
        },
      );
      const { epoch } = await load();
      outcomes.push(`${isSaved ? 'acknowledged' : 'refused'}: ${epoch}`);
      await fs.rename(join(folder, 'state.previous.json'), join(folder, 'state.json'));
      expect([1, 2]).toContain((await load()).epoch);
      if (isSaved) {
        expect(operations()).toBe(after + 2);
        break;
      }
    }
    expect(outcomes.at(-1)).toBe('acknowledged: 3');
    expect(outcomes).toContain('refused: 2');
    expect(outcomes.length).toBeGreaterThan(10);
    expect(outcomes.filter((outcome) => !/refused: [23]|acknowledged: 3/.test(outcome))).toEqual([]);
  });

  it('keeps the old state on the disk when only the folder could not be synced', async () => {
    await saved(first, second);
    let folderSyncs = 0;
    const files = {
      ...fs,
      open: async (path: string, flags: string, mode?: number) => {
        if (path === folder && ++folderSyncs === 2) throw new Error('EIO');
        return fs.open(path, flags, mode);
      },
    } as unknown as FileSystem;
    const store = new StateStore(folder, files);
    await store.load();
    await expect(store.save(third)).rejects.toThrow(/cannot be written/);
    expect(await load()).toEqual(second);
    await store.save(third);
    expect(await load()).toEqual(third);
  });

  it('T19 leaves no half-written file on a full disk', async () => {
    await saved(first);
    const files = {
      ...fs,
      open: async (path: string, flags: string, mode?: number) => {
        const handle = await fs.open(path, flags, mode);
        const full = async () => {
          await handle.write('{');
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        };
        return flags === 'w' ? { writeFile: full, close: () => handle.close() } : handle;
      },
    } as unknown as FileSystem;
    const store = new StateStore(folder, files);
    await store.load();
    await expect(store.save(second)).rejects.toThrow(/ENOSPC/);
    expect(await fs.readdir(folder)).toEqual(['state.json']);
    expect(await load()).toEqual(first);
  });
});
