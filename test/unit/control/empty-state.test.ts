import { describe, expect, it } from 'vitest';
import { describeEmptyState } from '../../../src/control/empty-state.ts';
import { StateError, unwritable } from '../../../src/control/state-error.ts';

const EMPTY = { folder: '/var/lib/lockstep', active: 'v1', isPinKeyNew: true, lifetime: 'lasting' } as const;

describe('an empty state directory', () => {
  it('is told with what it means', () => {
    expect(describeEmptyState(EMPTY)).toBe(
      'The state directory /var/lib/lockstep is empty. At the very first start that is as it should be. ' +
        'At any other, what this gateway knew is lost: v1 is active because the config says so, whatever was promoted ' +
        'since; versions that were put at run time are forgotten; drains are; the key that signed the pins is gone with ' +
        'it: every pin out there is worthless, and every session begins anew. ' +
        'Keep it on a disk that outlives the gateway, and its path the same.',
    );
  });

  it.each([
    {
      name: 'keys of the config',
      more: { isPinKeyNew: false },
      says: 'name versions that nobody knows any more',
    },
    { name: 'no active version', more: { active: null }, says: 'no version is active' },
    {
      name: 'a container without a volume',
      more: { lifetime: 'container' as const },
      says: 'mount a volume there',
    },
    { name: 'a file system in memory', more: { lifetime: 'boot' as const }, says: 'goes with the next boot' },
  ])('says it differently with $name', ({ more, says }) => {
    expect(describeEmptyState({ ...EMPTY, ...more })).toContain(says);
  });
});

describe('a state directory that cannot be written', () => {
  it.each([
    { code: 'ENOSPC', says: 'the disk is full; make room there' },
    { code: 'EDQUOT', says: 'the disk is full' },
    { code: 'EROFS', says: 'its file system is read-only; mount it writable' },
    { code: 'EACCES', says: 'this user may not' },
    { code: 'EPERM', says: 'this user may not' },
    { code: 'ENOTDIR', says: 'something else than a directory is in its place' },
    { code: 'EIO', says: 'the disk fails' },
    { code: 'EMFILE', says: 'the system refused it' },
  ])('by $code says what to do, and what the system said', ({ code, says }) => {
    const error = unwritable('/s', Object.assign(new Error(`${code}: no`), { code }));
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toContain(`The state directory /s cannot be written: ${says}`);
    expect(error.message).toContain(`(${code}: no).`);
  });
});
