// What the gateway's process holds, sampled from outside: memory, descriptors, sockets, timers.

import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestProcess } from '../kit/processes.ts';
import type { Inspector } from './inspector.ts';
import { type Allowance, allowedRise, type Line, lineThrough } from './slopes.ts';

export type VitalName = 'rssBytes' | 'heapBytes' | 'bufferBytes' | 'descriptors' | 'sockets' | 'timers';

export type Vitals = Readonly<Record<VitalName, number>>;

/** `atMin`: minutes since the load began. */
export type VitalSample = Vitals & { readonly atMin: number };

const MIB = 1_048_576;
const LOOKS = 5;
const LOOK_PAUSE_MS = 300;

/**
 * What the line through a figure may rise by while the load lasts. The heap's part is what the gateway remembers on purpose
 * until it is full: pins that verified (src/core/pin.ts, 3 MB), the last requests with their routing tables
 * (src/observe/request-trail.ts, 1 to 4 MB, half of it full before the first sample). The resident size follows, and the
 * kernel gets pages back late. Descriptors, sockets and timers go up and down with who is there in that moment.
 */
const ALLOWED: Readonly<Record<VitalName, Allowance>> = {
  rssBytes: { fixed: 32 * MIB, share: 0.05 },
  heapBytes: { fixed: 6 * MIB, share: 0.05 },
  bufferBytes: { fixed: 4 * MIB, share: 0.05 },
  descriptors: { fixed: 10, share: 0.1 },
  sockets: { fixed: 10, share: 0.1 },
  timers: { fixed: 5, share: 0.1 },
};

/**
 * When everybody has left, before and after: besides what V8 keeps of code and the kernel of pages, the heads that are kept
 * for recognition, two generations of 4 MiB each way (src/wire/recurring.ts), which were empty before.
 */
const ALLOWED_AT_REST: Readonly<Record<VitalName, Allowance>> = {
  ...ALLOWED,
  rssBytes: { fixed: 56 * MIB, share: 0.05 },
  heapBytes: { fixed: 24 * MIB, share: 0.05 },
  descriptors: { fixed: 0, share: 0 },
  sockets: { fixed: 0, share: 0 },
  timers: { fixed: 0, share: 0 },
};

/** A line through less says more of who happened to be there, and of what is remembered until it is full, than of leaks. */
const LEAST_JUDGED_MIN = 5;

export async function vitalsOf(process: TestProcess, inspector: Inspector): Promise<Vitals> {
  const held = await inspector.held();
  const folder = `/proc/${process.pid}/fd`;
  const names = await readdir(folder);
  // One may be closed between the two.
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return {
    ...held,
    rssBytes: await process.residentBytes(),
    descriptors: names.length,
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
  };
}

/** When nobody is there: the least of several looks, since a file may be written in one of them. */
export async function vitalsAtRest(process: TestProcess, inspector: Inspector): Promise<Vitals> {
  let least = await vitalsOf(process, inspector);
  for (let n = 1; n < LOOKS; n++) {
    await sleep(LOOK_PAUSE_MS);
    const next = await vitalsOf(process, inspector);
    least = Object.fromEntries(
      Object.entries(least).map(([name, value]) => [name, Math.min(value, next[name as VitalName])]),
    ) as Vitals;
  }
  return least;
}

export interface VitalFigures extends Line {
  readonly name: VitalName;
  readonly allowedRise: number;
  readonly atRestBefore: number;
  readonly atRestAfter: number;
  readonly allowedAtRest: number;
  readonly isFlat: boolean;
}

export function figuresOf(samples: readonly VitalSample[], before: Vitals, after: Vitals): VitalFigures[] {
  return (Object.keys(ALLOWED) as VitalName[]).map((name) => {
    const line = lineThrough(samples.map((sample) => ({ atMin: sample.atMin, value: sample[name] })));
    const allowed = allowedRise(line.mean, ALLOWED[name]);
    const span = (samples.at(-1)?.atMin ?? 0) - (samples[0]?.atMin ?? 0);
    const isRiseFine = span < LEAST_JUDGED_MIN || line.rise <= allowed;
    const allowedAtRest = before[name] + allowedRise(before[name], ALLOWED_AT_REST[name]);
    return {
      name,
      ...line,
      allowedRise: allowed,
      atRestBefore: before[name],
      atRestAfter: after[name],
      allowedAtRest,
      isFlat: isRiseFine && after[name] <= allowedAtRest,
    };
  });
}
