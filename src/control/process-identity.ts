// Which process on which machine: enough to tell, after a crash, that the one who wrote it is gone, although its number
// may belong to another process by now. Linux tells all of it in /proc (proc(5)); elsewhere the process number has to do.

import { readFile, readlink } from 'node:fs/promises';
import { errorCode } from './durable-file.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot; '' where it is not told. */
  readonly startTime: string;
  /** Boot of the kernel and namespace of process numbers, '' where they are not told. Only in the same two does a number mean anything. */
  readonly world: string;
}

export function thisProcess(): Promise<ProcessIdentity> {
  return readIdentity(process.pid);
}

/** Of a process that is known to run. */
export async function readIdentity(pid: number): Promise<ProcessIdentity> {
  const entry = await readProcess(pid);
  return { pid, startTime: entry?.startTime ?? '', world: await readWorld() };
}

/** 'unknown': it ran, or runs, where this process cannot look. */
export async function isGone(other: ProcessIdentity): Promise<boolean | 'unknown'> {
  const world = await readWorld();
  if (world === '' || world !== other.world) return 'unknown';
  const entry = await readProcess(other.pid);
  if (entry === null) return isSignalable(other.pid) ? 'unknown' : true;
  // A zombie has let go of everything; only its parent has not looked yet (containers without an init process).
  return entry.isDead || entry.startTime !== other.startTime;
}

async function readWorld(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** Null when /proc does not show it: it is gone, or hidden from this user (hidepid). */
async function readProcess(pid: number): Promise<{ startTime: string; isDead: boolean } | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything; after it come field 3 (state) and so on; 22 is the start time.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { startTime: fields[19] ?? '', isDead: fields[0] === 'Z' || fields[0] === 'X' };
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return null;
    throw error;
  }
}

function isSignalable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
