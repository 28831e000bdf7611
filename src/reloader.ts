// Reads the configuration file again and puts it in force, while requests are served: what can fail comes first (the file,
// its merits, certificates, the access log's new file), then the versions are judged and stored, then every part gets
// its piece in one turn of the event loop. Rules: one reload at a time, and none beside an operator's change; one that
// fails leaves everything as it was and says why, to who asked, in the log, as an event and in the audit log.

import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Config, ListenConfig } from './config/config.ts';
import { type ConfigResult, formatProblem, type LoadedConfig } from './config/load.ts';
import { planReload, type ReloadPlan } from './config/reload.ts';
import { SET } from './config/settings.ts';
import type { ControlPolicies } from './control/assembly.ts';
import type { ChangeOptions, Controller } from './control/controller.ts';
import { findForbiddenName, type WhyForbidden } from './control/forbidden-names.ts';
import { SerialQueue } from './control/serial-queue.ts';
import type { Problem } from './core/problem.ts';
import type { FileProblem, ReloadReport, Setting, SettingsReport } from './core/settings.ts';
import type { AccessLogSwitch, OpenedLog } from './observe/access-log-switch.ts';
import type { Log } from './observe/log.ts';

export type ReloadResult =
  | { readonly ok: true; readonly report: ReloadReport }
  | { readonly ok: false; readonly problem: Problem; readonly errors: readonly FileProblem[] };

export interface ReloaderPorts {
  /** Absolute path; null when the configuration came from a program. */
  readonly file: string | null;
  readonly read: (file: string) => Promise<ConfigResult>;
  readonly control: Pick<Controller, 'reload' | 'reloadFailed' | 'status'>;
  readonly accessLog: AccessLogSwitch;
  readonly whyForbidden: WhyForbidden;
  /** The keys that sign and verify pins: the configured ones, or those of the state directory. */
  readonly pinKeysOf: (config: Config) => Promise<readonly string[]>;
  /** Every part gets its piece. Must not throw. */
  readonly apply: (config: Config, pinKeys: readonly string[]) => void;
  readonly log: Log;
  readonly wallMs: () => number;
}

interface Prepared {
  readonly pinKeys: readonly string[];
  readonly accessLog: OpenedLog;
}

interface Unprepared {
  readonly key: string;
  readonly error: unknown;
}

export class Reloader {
  readonly #ports: ReloaderPorts;
  readonly #queue = new SerialQueue();
  #loaded: LoadedConfig;
  #pinKeys: readonly string[];
  #loadedAt: string;

  /** `loaded` and `pinKeys` are in force. */
  constructor(loaded: LoadedConfig, pinKeys: readonly string[], ports: ReloaderPorts) {
    this.#ports = ports;
    this.#loaded = loaded;
    this.#pinKeys = pinKeys;
    this.#loadedAt = this.#now();
  }

  /** Never rejects. */
  reload(options: ChangeOptions): Promise<ReloadResult> {
    return this.#queue.run(() => this.#reload(options));
  }

  report(): SettingsReport {
    const { warnings, settings } = this.#loaded;
    const { active, versions } = this.#ports.control.status();
    const declared = settings.map(({ setting }) => inForce(setting, active));
    const others = versions
      .filter(({ id, upstreams }) => upstreams.length > 0 && !declared.some(({ key }) => key === keyOf(id)))
      .map(({ id, upstreams }): Setting => {
        const value = upstreams.map(({ address }) => `http://${address}`);
        return { key: keyOf(id), value, from: 'state', line: null, variables: [], pending: null };
      });
    return { file: this.#ports.file, loadedAt: this.#loadedAt, warnings, settings: [...declared, ...others] };
  }

  async #reload(options: ChangeOptions): Promise<ReloadResult> {
    const { file, read } = this.#ports;
    if (file === null) {
      const detail = 'This gateway was started without a configuration file: there is nothing to read again.';
      return this.#failed(options, { code: 'no-config-file', status: 409, detail }, []);
    }
    const found = await read(file);
    if (!found.ok) return this.#badFile(options, found.problems);
    const judged = planReload(this.#loaded, found, file);
    if (!judged.ok) return this.#badFile(options, judged.problems);
    return this.#carryOut(judged.plan, options, file);
  }

  async #carryOut(plan: ReloadPlan, options: ChangeOptions, file: string): Promise<ReloadResult> {
    const { config } = plan.loaded;
    const prepared = await this.#prepare(config);
    if ('error' in prepared) {
      const { key, error } = prepared;
      const line = plan.loaded.settings.find(({ setting }) => setting.key === key)?.setting.line ?? 1;
      const message = error instanceof Error ? error.message : String(error);
      return this.#badFile(options, [{ file, line, key, message }]);
    }
    const { pinKeys, accessLog } = prepared;
    const warnings = [...plan.warnings, ...this.#keysLost(pinKeys)];
    let isApplied = false;
    const wanted = {
      declared: config.versions,
      active: config.active,
      policies: policiesOf(config),
      isChange: plan.changed.length > 0 || !isDeepStrictEqual(pinKeys, this.#pinKeys),
      detail: { changed: keysOf(plan.changed), needsRestart: keysOf(plan.needsRestart), warnings },
      apply: () => {
        isApplied = true;
        this.#loaded = plan.loaded;
        this.#pinKeys = pinKeys;
        this.#loadedAt = this.#now();
        accessLog.use();
        this.#ports.apply(config, pinKeys);
      },
    };
    const outcome = await this.#ports.control.reload(wanted, options);
    if (!isApplied) await accessLog.abandon();
    if (!outcome.ok) return this.#told(options, outcome.problem);
    const { changed, needsRestart } = plan;
    const { epoch, changes: versions } = outcome.report;
    const { notes } = outcome;
    const report = { dryRun: options.dryRun, changed, needsRestart, warnings, notes, epoch, versions };
    if (isApplied) this.#tell(report, options.by);
    return { ok: true, report };
  }

  /** What can fail outside of the file: nothing of it is in use yet. */
  async #prepare(config: Config): Promise<Prepared | Unprepared> {
    let key = 'listen';
    try {
      for (const { key, addresses } of configuredServers(config)) {
        const found = await findForbiddenName(addresses, this.#ports.whyForbidden);
        if (found !== null) return { key, error: new Error(found) };
      }
      await checkCertificates(config.listen);
      key = 'cookie.keys';
      const pinKeys = await this.#ports.pinKeysOf(config);
      key = 'log.access';
      return { pinKeys, accessLog: this.#ports.accessLog.open(config.log.access) };
    } catch (error) {
      return { key, error };
    }
  }

  #keysLost(pinKeys: readonly string[]): readonly string[] {
    if (pinKeys.some((key) => this.#pinKeys.includes(key))) return [];
    return [
      'cookie.keys: none of the keys of before is among them; the pins out there do not verify: all sessions begin anew',
    ];
  }

  #badFile(options: ChangeOptions, errors: readonly FileProblem[]): Promise<ReloadResult> {
    const detail = `The old configuration stays in force: ${errors.map(formatProblem).join('; ')}.`;
    return this.#failed(options, { code: 'bad-config', status: 400, detail }, errors);
  }

  async #failed(
    options: ChangeOptions,
    problem: Problem,
    errors: readonly FileProblem[],
  ): Promise<ReloadResult> {
    if (!options.dryRun) await this.#ports.control.reloadFailed(options.by, problem);
    return this.#told(options, problem, errors);
  }

  #told({ dryRun, by }: ChangeOptions, problem: Problem, errors: readonly FileProblem[] = []): ReloadResult {
    const { code, detail } = problem;
    if (!dryRun) this.#ports.log.error({ by, code, errors }, `reload failed: ${detail}`);
    return { ok: false, problem, errors };
  }

  #tell({ changed, needsRestart, warnings, notes }: ReloadReport, by: string): void {
    const { log } = this.#ports;
    log.info({ by, changed, needsRestart: keysOf(needsRestart) }, 'the configuration was read again');
    for (const { key } of needsRestart)
      log.warn({ key }, 'this setting needs a restart; its old value stays');
    for (const sentence of [...warnings, ...notes]) log.warn({}, sentence);
  }

  #now(): string {
    return new Date(this.#ports.wallMs()).toISOString();
  }
}

/** What the control plane goes by. */
export function policiesOf(config: Config): ControlPolicies {
  const { cookie, drain, health, warm, analysis, skew, affinity, discovery } = config;
  return { cookie, drain, health, warm, analysis, skew, affinity, discovery };
}

/** Addresses of servers that the file names, by their key. */
export function configuredServers({
  versions,
  discovery,
}: Pick<Config, 'versions' | 'discovery'>): readonly { key: string; addresses: readonly string[] }[] {
  return [
    ...versions.map(({ id, upstreams }) => ({ key: keyOf(id), addresses: upstreams })),
    { key: 'discovery.servers', addresses: (discovery?.servers ?? []).map(({ address }) => address) },
  ];
}

/** What the state directory knows better than the file. */
function inForce(setting: Setting, active: string | null): Setting {
  const { key, value } = setting;
  const fromState: Partial<Setting> = { from: 'state', line: null, variables: [] };
  if (key === 'active' && active !== null) return { ...setting, ...fromState, value: active };
  if (key === 'cookie.keys' && Array.isArray(value) && value.length === 0) {
    return { ...setting, ...fromState, value: [SET] };
  }
  return setting;
}

/** Rejects when one cannot be used. */
async function checkCertificates(listen: readonly ListenConfig[]): Promise<void> {
  for (const { tls } of listen) {
    if (tls === null) continue;
    const { certFile, keyFile } = tls;
    try {
      process
        .getBuiltinModule('node:tls')
        .createSecureContext({ cert: await readFile(certFile), key: await readFile(keyFile) });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`expected a certificate in ${certFile} and its key in ${keyFile}, got ${why}`);
    }
  }
}

function keyOf(version: string): string {
  return `versions.${version}.upstreams`;
}

function keysOf(changes: readonly { readonly key: string }[]): readonly string[] {
  return changes.map(({ key }) => key);
}
