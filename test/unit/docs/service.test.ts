// The systemd unit under config/, as far as it can be judged without systemd: what it must have, and what it must not.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { parseDuration } from '../../../src/core/duration.ts';

const settings = readFileSync(new URL('../../../config/lockstep.service', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^[A-Z]\w+=/.test(line))
  .map((line) => line.split(/=(.*)/s) as [string, string]);
const valuesOf = (key: string): string[] =>
  settings.filter(([name]) => name === key).map(([, value]) => value);

const defaults = parseConfig('', 'empty.yaml', {});
const limits = defaults.ok ? defaults.config.limits : null;

describe('config/lockstep.service', () => {
  it.each([
    { key: 'ExecStart', want: ['/usr/local/bin/lockstep serve --config /etc/lockstep/lockstep.yaml'] },
    { key: 'ExecReload', want: ['/bin/kill -HUP $MAINPID'] },
    { key: 'DynamicUser', want: ['yes'] },
    { key: 'StateDirectory', want: ['lockstep'] },
    { key: 'CacheDirectory', want: ['lockstep'] },
    { key: 'CacheDirectoryMode', want: ['0700'] },
    { key: 'Environment', want: ['NODE_COMPILE_CACHE=/var/cache/lockstep'] },
    { key: 'ProtectSystem', want: ['strict'] },
    { key: 'NoNewPrivileges', want: ['yes'] },
    { key: 'RestrictAddressFamilies', want: ['AF_INET AF_INET6 AF_UNIX'] },
    { key: 'SystemCallFilter', want: ['@system-service', '~@privileged @resources'] },
    { key: 'KillMode', want: ['mixed'] },
    // V8 could not start; a start after kill -9 could not tell that the killed gateway is gone.
    { key: 'MemoryDenyWriteExecute', want: [] },
    { key: 'ProcSubset', want: [] },
  ])('has the $key that it needs', ({ key, want }) => {
    expect(valuesOf(key)).toEqual(want);
  });

  it('gives requests under way the time that the configuration gives them', () => {
    const stopMs = parseDuration(valuesOf('TimeoutStopSec')[0]!)!;
    expect(stopMs).toBeGreaterThan(limits!.shutdownMs + 5_000);
  });

  it('allows a file descriptor for each client and each upstream connection', () => {
    expect(Number(valuesOf('LimitNOFILE')[0])).toBeGreaterThan(2 * limits!.connections);
  });

  it('goes on trying for longer than a lock of a dead gateway lasts', () => {
    const everyMs = parseDuration(valuesOf('RestartSec')[0]!)!;
    expect(everyMs * Number(valuesOf('StartLimitBurst')[0])).toBeGreaterThan(10_000);
  });
});
