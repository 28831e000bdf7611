// The configuration of a gateway under test, as an operator's YAML: loopback, free ports, a state directory of its own,
// short health intervals. A test gives what it is about; blocks are merged key by key.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

export interface GatewaySettings {
  /** Version id to upstream URLs. */
  readonly versions?: Readonly<Record<string, readonly string[]>>;
  readonly active?: string;
  readonly listen?: string | readonly unknown[];
  readonly adminListen?: string;
  /** Kept when given, else a new temporary one that `stop` removes. */
  readonly stateDir?: string;
  /** Default: no access log. */
  readonly accessLog?: 'stdout' | 'off' | { readonly file: string };
  readonly cookie?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly drain?: Readonly<Record<string, unknown>>;
  readonly deadPin?: Readonly<Record<string, unknown>>;
  readonly health?: Readonly<Record<string, unknown>>;
  readonly tokens?: readonly { readonly name: string; readonly token: string; readonly role: string }[];
  /** Further top-level keys. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export function gatewayYaml(settings: GatewaySettings, stateDir: string): string {
  const versions = Object.entries(settings.versions ?? {}).map(([id, upstreams]) => [id, { upstreams }]);
  return stringify({
    listen: settings.listen ?? '127.0.0.1:0',
    admin: { listen: settings.adminListen ?? '127.0.0.1:0', tokens: settings.tokens ?? [] },
    state: stateDir,
    versions: Object.fromEntries(versions),
    ...(settings.active === undefined ? {} : { active: settings.active }),
    ...(settings.cookie === undefined ? {} : { cookie: settings.cookie }),
    ...(settings.limits === undefined ? {} : { limits: settings.limits }),
    ...(settings.drain === undefined ? {} : { drain: settings.drain }),
    ...(settings.deadPin === undefined ? {} : { deadPin: settings.deadPin }),
    // A TCP connect, so that recording upstreams see no requests but the test's own.
    health: { path: null, interval: '200ms', timeout: '1s', rise: 1, fall: 2, ...settings.health },
    log: { access: settings.accessLog ?? 'off', level: 'error' },
    // Recording upstreams see no requests but the test's own: what is about assets says so.
    assets: null,
    // Least to start; what is about threads says how many.
    threads: 1,
    ...settings.more,
  });
}

export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function temporaryFolder(name: string): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `lockstep-${name}-`));
  // A browser's helpers outlive it by a moment, and write.
  const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 } as const;
  return { path, remove: () => rm(path, removal) };
}
