// A network of the test's own: a second machine, as far as the gateway can tell (a network namespace behind a pair of
// virtual interfaces), whose cable can be pulled. What runs there vanishes without a FIN or RST, and a connect to it is
// answered by nobody. Linux, as root.

import { execFileSync, spawnSync } from 'node:child_process';
import { startProcess, type TestProcess } from './processes.ts';

export interface OtherMachine {
  /** Of the gateway's side. */
  readonly here: string;
  /** Of the other machine. */
  readonly there: string;
  run(command: string, args: readonly string[]): TestProcess;
  /** From now on nothing arrives, either way. */
  unplug(): void;
  plugIn(): void;
  remove(): void;
}

/** Says so when not, and why; under CI=true only containers that forbid it may skip. */
export function canHaveNetwork(): boolean {
  const name = `lockstep-probe-${process.pid}`;
  const { status, stderr, error } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (status === 0) {
    spawnSync('ip', ['netns', 'del', name]);
    return true;
  }
  const why = error?.message ?? stderr.trim();
  if (process.env['CI'] === 'true' && !/not permitted|permission denied/i.test(why)) throw new Error(why);
  process.stderr.write(
    `no network of one's own here (ip netns: ${why}); the tests that need it are skipped\n`,
  );
  return false;
}

export function otherMachine(): OtherMachine {
  // Interface names hold at most 15 characters.
  const id = (process.pid % 65_536).toString(16);
  const [space, ours, theirs] = [`lockstep-${id}`, `lsa${id}`, `lsb${id}`];
  // 198.18.0.0/15 is set aside for tests of networks (RFC 2544).
  const net = `198.18.${process.pid % 250}`;
  const [here, there] = [`${net}.1`, `${net}.2`];
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
  const inside = (...args: string[]): void => ip('-n', space, ...args);
  ip('netns', 'add', space);
  ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', space);
  ip('addr', 'add', `${here}/30`, 'dev', ours);
  ip('link', 'set', ours, 'up');
  inside('addr', 'add', `${there}/30`, 'dev', theirs);
  inside('link', 'set', theirs, 'up');
  inside('link', 'set', 'lo', 'up');
  // Known for good: an address that nobody resolves any more would be told of.
  const link = execFileSync('ip', ['-n', space, '-j', 'link', 'show', theirs], { encoding: 'utf8' });
  const [{ address }] = JSON.parse(link) as [{ address: string }];
  ip('neigh', 'replace', there, 'lladdr', address, 'dev', ours, 'nud', 'permanent');
  return {
    here,
    there,
    run: (command, args) => startProcess('ip', ['netns', 'exec', space, command, ...args]),
    unplug: () => inside('link', 'set', theirs, 'down'),
    plugIn: () => inside('link', 'set', theirs, 'up'),
    // The name space itself may live on for a moment: its end of the pair would, too.
    remove: () => {
      ip('link', 'del', ours);
      ip('netns', 'del', space);
    },
  };
}
