// What a process costs, from the system's own accounting (/proc): CPU time of all its processes and threads, those that
// have ended included, and its memory.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Linux counts in ticks of 10 ms, whatever the kernel's own clock (sysconf(_SC_CLK_TCK) is 100 on every platform). */
const TICK_US = 10_000;

/** User and system time of a process and its children, in µs. A process that ended meanwhile counts as nothing. */
export function cpuUs(pid: number): number {
  let ticks = 0;
  for (const one of processTree(pid)) {
    const fields = statOf(one);
    if (fields !== null) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_US;
}

/** The most memory that was resident at a time since `forgetPeak`, summed over its processes, in bytes. */
export function peakBytes(pid: number): number {
  return memory(pid, 'VmHWM');
}

export function residentBytes(pid: number): number {
  return memory(pid, 'VmRSS');
}

/** The peak starts anew from what is resident now (proc(5), clear_refs). */
export function forgetPeak(pid: number): void {
  for (const one of processTree(pid)) {
    try {
      writeFileSync(`/proc/${one}/clear_refs`, '5');
    } catch {
      // Ended, or not ours to reset: then the peak is that of its whole life, which is more, not less.
    }
  }
}

function memory(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  let kilobytes = 0;
  for (const one of processTree(pid)) {
    const status = read(`/proc/${one}/status`);
    kilobytes += Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** The process and all that descend from it. */
function processTree(pid: number): readonly number[] {
  const tree = [pid];
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const one = Number(name);
    if (!Number.isInteger(one)) continue;
    const fields = statOf(one);
    if (fields !== null) parents.set(one, Number(fields[1]));
  }
  for (const parent of tree) {
    for (const [child, of] of parents) if (of === parent) tree.push(child);
  }
  return tree;
}

/** The fields of /proc/PID/stat from the third on ("state"): the second may hold anything, spaces and all. */
function statOf(pid: number): readonly string[] | null {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
