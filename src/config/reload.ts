// A file that was read anew against what is in force: which settings change, which of them take a restart, and the
// configuration that is in force afterwards. Pure. Rule: what cannot be changed at run time keeps its old value, so what
// the new file says must go together with that as well.

import { splitAddress } from '../core/pool.ts';
import type { Setting, SettingChange } from '../core/settings.ts';
import { isLoopback, reachesListener } from './addresses.ts';
import type { Config } from './config.ts';
import type { ConfigProblem } from './problems.ts';
import type { ListedSetting } from './settings.ts';

/** A configuration that was read without a problem. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly settings: readonly ListedSetting[];
}

export interface ReloadPlan {
  /** In force afterwards. */
  readonly loaded: LoadedConfig;
  /** Of the file, and of what this change costs. */
  readonly warnings: readonly string[];
  readonly changed: readonly SettingChange[];
  readonly needsRestart: readonly SettingChange[];
}

export type ReloadVerdict =
  | { readonly ok: true; readonly plan: ReloadPlan }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Listeners are never closed and opened again; the ledger and the threads are as large and as many as they began. */
const RESTART_KEYS: ReadonlySet<string> = new Set([
  'listen',
  'threads',
  'engine',
  'admin.listen',
  'state',
  'limits.sessions',
]);

/** `file` names it in problems. */
export function planReload(inForce: LoadedConfig, read: LoadedConfig, file: string): ReloadVerdict {
  const config = merged(inForce.config, read.config);
  const problems = contradictions(config, read.settings, file);
  if (problems.length > 0) return { ok: false, problems };
  const differing = differences(inForce.settings, read.settings);
  const settings = read.settings.map((listed) => inForceAfter(inForce.settings, listed));
  return {
    ok: true,
    plan: {
      loaded: { config, warnings: read.warnings, settings },
      warnings: [...read.warnings, ...pinsLost(inForce.config, config)],
      changed: differing.filter(({ key }) => !RESTART_KEYS.has(key)),
      needsRestart: differing.filter(({ key }) => RESTART_KEYS.has(key)),
    },
  };
}

function merged(old: Config, next: Config): Config {
  const { tokens } = next.admin;
  return {
    ...next,
    listen: old.listen,
    threads: old.threads,
    engine: old.engine,
    admin: { ...old.admin, tokens },
    stateDir: old.stateDir,
    limits: { ...next.limits, sessions: old.limits.sessions },
  };
}

/** The checks of checks.ts that concern both an old value, which stays, and a new one. */
function contradictions(
  { admin, listen, versions, discovery }: Config,
  settings: readonly ListedSetting[],
  file: string,
): ConfigProblem[] {
  const problem = (key: string, message: string): ConfigProblem => {
    const line = settings.find(({ setting }) => setting.key === key)?.setting.line ?? 1;
    return { file, line, key, message };
  };
  const problems: ConfigProblem[] = [];
  if (admin.tokens.length === 0 && 'host' in admin && !isLoopback(admin.host)) {
    const why = 'as long as the admin API listens beyond loopback (another admin.listen takes a restart)';
    problems.push(problem('admin.tokens', `expected at least one token ${why}, got none`));
  }
  const own = [...listen, ...('port' in admin ? [admin] : [])];
  const servers = [
    ...versions.flatMap(({ id, upstreams }) =>
      upstreams.map((address) => ({ key: `versions.${id}.upstreams`, address })),
    ),
    ...(discovery?.servers ?? []).map(({ address }) => ({ key: 'discovery.servers', address })),
  ];
  for (const { key, address } of servers) {
    if (!own.some((at) => reachesListener(splitAddress(address), at))) continue;
    const message = `expected servers of the application, got ${address}, where the gateway listens until it is restarted`;
    problems.push(problem(key, message));
  }
  return problems;
}

function differences(
  before: readonly ListedSetting[],
  after: readonly ListedSetting[],
): readonly SettingChange[] {
  const old = byKey(before);
  const next = byKey(after);
  return [...new Set([...old.keys(), ...next.keys()])]
    .filter((key) => old.get(key)?.parsed !== next.get(key)?.parsed)
    .map((key) => ({
      key,
      from: old.get(key)?.setting.value ?? null,
      to: next.get(key)?.setting.value ?? null,
    }));
}

/** What needs a restart keeps its old value, and remembers what the file says. */
function inForceAfter(inForce: readonly ListedSetting[], read: ListedSetting): ListedSetting {
  const { key, value, line } = read.setting;
  const old = RESTART_KEYS.has(key) ? byKey(inForce).get(key) : undefined;
  if (old === undefined || old.parsed === read.parsed) return read;
  return { ...old, setting: { ...old.setting, pending: { value, line } } };
}

function pinsLost(old: Config, next: Config): readonly string[] {
  return (['name', 'domain'] as const)
    .filter((key) => old.cookie[key] !== next.cookie[key])
    .map(
      (key) => `cookie.${key}: the pins out there are not known under the new one: all sessions begin anew`,
    );
}

function byKey(settings: readonly ListedSetting[]): ReadonlyMap<Setting['key'], ListedSetting> {
  return new Map(settings.map((listed) => [listed.setting.key, listed]));
}
