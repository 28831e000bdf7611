// A process that sees file systems of its own: a small one in memory as its state directory, which can be filled up and
// closed to it without touching anything of the machine. Linux, with name spaces for users allowed.

import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ENTER = ['unshare', '--map-root-user', '--mount'] as const;

/** Says so when not, and why: it is no program that could be installed. */
export function canMount(): boolean {
  try {
    execFileSync(ENTER[0], [...ENTER.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'pipe' });
    return true;
  } catch (error) {
    process.stderr.write(
      `no mounts of one's own here: ${String(error)}; the tests that need them are skipped\n`,
    );
    return false;
  }
}

/** Runs a command with a file system of so many KiB at `folder`; the process becomes that of the command. */
export function withSmallDisk(
  folder: string,
  kib: number,
  command: readonly string[],
  options = 'rw',
): readonly string[] {
  const script = 'mkdir -p "$0" && mount -t tmpfs -o "size=$1k,$2" none "$0" && shift 2 && exec "$@"';
  return [...ENTER, 'sh', '-c', script, folder, String(kib), options, ...command];
}

/** For such a process permissions count, whoever it is. */
export function withoutPrivileges(command: readonly string[]): readonly string[] {
  return ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command];
}

/** What the process `pid` sees at `folder`. */
export interface DiskOfProcess {
  /** Until nothing fits any more. */
  fill(): void;
  makeRoom(): void;
  /** Only for a command that `withoutPrivileges` runs: root may write anywhere. */
  setMode(mode: number): void;
}

export function diskOf(pid: number, folder: string): DiskOfProcess {
  const filler = join(`/proc/${pid}/root`, folder, 'filler');
  return {
    fill: () => {
      const block = Buffer.alloc(4096);
      for (;;) {
        try {
          writeFileSync(filler, block, { flag: 'a' });
        } catch {
          return;
        }
      }
    },
    makeRoom: () => rmSync(filler),
    setMode: (mode) => chmodSync(join(`/proc/${pid}/root`, folder), mode),
  };
}
