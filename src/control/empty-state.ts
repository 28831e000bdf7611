// An empty state directory is right at the very first start, and a disaster at any other: a container without a volume,
// a path that was mistyped. Nobody can tell the two apart at that moment, so each such start says what it means.

import { statfs } from 'node:fs/promises';
import type { ControllerOptions } from './assembly.ts';
import type { Events } from './events.ts';

export interface EmptyState {
  readonly folder: string;
  readonly active: string | null;
  /** A key to sign pins was made just now: there was none. */
  readonly isPinKeyNew: boolean;
  readonly lifetime: Lifetime;
}

/** What the file system of the directory goes with; `lasting` as far as can be told. */
export type Lifetime = 'container' | 'boot' | 'lasting';

/** Magic numbers of Linux file systems (statfs(2)). */
const OVERLAY = 0x794c7630;
const TMPFS = 0x01021994;

/** Loud in the log, and an event. */
export async function tellEmptyState(
  active: string | null,
  { state: { path: folder }, isPinKeyNew, log }: Pick<ControllerOptions, 'state' | 'isPinKeyNew' | 'log'>,
  events: Events,
): Promise<void> {
  const lifetime = await lifetimeOf(folder);
  log.warn({}, describeEmptyState({ folder, active, isPinKeyNew, lifetime }));
  events.tell('state-empty', active, { lifetime, isPinKeyNew });
}

async function lifetimeOf(folder: string): Promise<Lifetime> {
  const type = await statfs(folder).then(
    (stats) => stats.type,
    () => 0,
  );
  return type === OVERLAY ? 'container' : type === TMPFS ? 'boot' : 'lasting';
}

export function describeEmptyState({ folder, active, isPinKeyNew, lifetime }: EmptyState): string {
  const serves =
    active === null
      ? 'no version is active'
      : `${active} is active because the config says so, whatever was promoted since`;
  const pins = isPinKeyNew
    ? 'the key that signed the pins is gone with it: every pin out there is worthless, and every session begins anew'
    : 'pins of versions that the config does not declare name versions that nobody knows any more';
  return [
    `The state directory ${folder} is empty.`,
    'At the very first start that is as it should be. At any other, what this gateway knew is lost:',
    `${serves}; versions that were put at run time are forgotten; drains are; ${pins}.`,
    `${ADVICE[lifetime]}.`,
  ].join(' ');
}

const ADVICE: Readonly<Record<Lifetime, string>> = {
  container: 'It lies in the file system of a container and goes with it: mount a volume there',
  boot: 'It lies in memory and goes with the next boot: choose a directory on a disk',
  lasting: 'Keep it on a disk that outlives the gateway, and its path the same',
};
