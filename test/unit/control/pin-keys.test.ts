import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPinKeys } from '../../../src/control/pin-keys.ts';

let folder: string;
const path = () => join(folder, 'pin.key');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the pin key', () => {
  it('is made once, of 32 random bytes, for its own user only', async () => {
    const made = await loadPinKeys(folder);
    const [key] = made.keys;
    expect(made).toEqual({ keys: [key], isNew: true });
    expect(Buffer.from(key!, 'base64url')).toHaveLength(32);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect(await loadPinKeys(folder)).toEqual({ keys: [key], isNew: false });
  });

  it('is another one in another directory', async () => {
    const first = await loadPinKeys(folder);
    await rm(path());
    expect(await loadPinKeys(folder)).not.toEqual(first);
  });

  it('may be followed by older ones', async () => {
    const keys = ['A'.repeat(43), 'B'.repeat(43)];
    await writeFile(path(), `${keys.join('\n')}\n\n`);
    expect(await loadPinKeys(folder)).toEqual({ keys, isNew: false });
  });

  it.each([
    { name: 'empty', text: '' },
    { name: 'too short', text: 'A'.repeat(42) },
    { name: 'not base64url', text: `${'A'.repeat(43)}\n${'+'.repeat(43)}` },
  ])('that is $name is refused and kept, never replaced', async ({ text }) => {
    await writeFile(path(), text);
    await expect(loadPinKeys(folder)).rejects.toThrow(path());
    expect(await readFile(path(), 'utf8')).toBe(text);
  });
});
