// HAProxy as the configuration has it: driven through its sockets, answered when it asks, or left alone. It joins parts, so it
// stands beside main.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config/config.ts';
import { systemClock } from './control/clock.ts';
import { diskFiles, replaceFile } from './control/durable-file.ts';
import type { Gatekeeper } from './control/gate.ts';
import type { DrivenVersion, HaproxyPolicy, HaproxyStatus } from './core/haproxy.ts';
import type { KnownServer } from './core/server.ts';
import type { RoutingTable } from './core/table.ts';
import type { AgentListener } from './haproxy/agent-listener.ts';
import { type HaproxyCounts, noCounts } from './haproxy/counts.ts';
import type { HaproxyDriver } from './haproxy/driver.ts';
import { formatMemory, type Memory, parseMemory } from './haproxy/memory.ts';
import type { HaproxyPorts } from './haproxy/ports.ts';
import type { Log } from './observe/log.ts';

export interface HaproxySurroundings {
  /** In force now; asked when the control plane has started. */
  readonly table: () => RoutingTable;
  readonly tell: HaproxyPorts['tell'];
  /** HAProxy's servers, when they are others than before; none when it is no longer driven. */
  readonly onServers: (servers: readonly KnownServer[]) => void;
  readonly log: Log;
}

/** In the state directory. */
const MEMORY_FILE = 'haproxy.json';

export class Haproxy implements Gatekeeper {
  readonly #file: string;
  readonly #surroundings: HaproxySurroundings;
  #policy: HaproxyPolicy | null;
  #driver: HaproxyDriver | null = null;
  #agent: AgentListener | null = null;
  #memory: Memory;
  #isStarted = false;
  #isClosed = false;
  #work: Promise<void> = Promise.resolve();

  constructor(config: Config, recalled: Memory, surroundings: HaproxySurroundings) {
    this.#file = join(config.stateDir, MEMORY_FILE);
    this.#policy = config.haproxy;
    this.#memory = recalled;
    this.#surroundings = surroundings;
  }

  /** When there is a table. Rejects when the agent's address cannot be had. */
  async start(): Promise<void> {
    this.#isStarted = true;
    await this.#open();
  }

  /** A reload. What cannot be had is logged, and tried again by the next one. */
  configure(policy: HaproxyPolicy | null): void {
    if (isDeepStrictEqual(policy, this.#policy)) return;
    this.#work = this.#work.then(async () => {
      await this.#shut();
      this.#policy = policy;
      if (this.#isClosed) return;
      // Its successor tells of its own: in between nobody is to think that there are none.
      if (policy === null || policy.sockets.length === 0) this.#surroundings.onServers([]);
      await this.#open().catch((err: unknown) => {
        this.#surroundings.log.error({ err }, "HAProxy's agent checks cannot be answered there");
      });
    });
  }

  /** Versions are others than before. */
  changed(): void {
    this.#driver?.changed();
  }

  async prepare(version: string): ReturnType<Gatekeeper['prepare']> {
    const driver = this.#driver;
    if (driver === null) return { failure: null, isNew: false, release: () => {} };
    const { readiness, release } = await driver.prepare(version);
    const { failure, isNew, unreachable } = readiness;
    if (unreachable.length > 0) {
      this.#surroundings.log.warn(
        { version, unreachable },
        'a version gets sessions that HAProxy was not told of',
      );
    }
    return { failure, isNew, release };
  }

  /** Null: it is left alone. */
  get status(): HaproxyStatus | null {
    if (this.#policy === null) return null;
    const driven = this.#driver?.status ?? { onDrift: this.#policy.onDrift, processes: [], failedStep: null };
    return { ...driven, agent: this.#agent?.status ?? null };
  }

  get counts(): HaproxyCounts {
    return this.#driver?.counts ?? noCounts();
  }

  /** Idempotent. HAProxy's servers stay as they are. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
    await this.#shut();
  }

  async #open(): Promise<void> {
    const policy = this.#policy;
    if (policy === null || !this.#isStarted) return;
    const { table, tell, onServers, log } = this.#surroundings;
    const versions = () => drivenVersions(table());
    // Who drives nothing does not pay for the modules.
    if (policy.sockets.length > 0) {
      const { HaproxyDriver } = await import('./haproxy/driver.ts');
      const { sendLine } = await import('./haproxy/runtime-socket.ts');
      this.#driver = new HaproxyDriver(policy, {
        versions,
        send: (to, line, timeoutMs) => sendLine(to, line, { timeoutMs }),
        tell,
        onServers,
        log,
        clock: systemClock,
        self: randomBytes(8).toString('hex'),
        recalled: this.#memory,
        remember: (memory) => this.#remember(memory),
      });
      this.#driver.start();
    }
    if (policy.agent === null) return;
    const { AgentListener } = await import('./haproxy/agent-listener.ts');
    const agent = new AgentListener({
      policy,
      versions: () => this.#driver?.versions() ?? versions(),
      servers: () => (this.#driver?.status.processes ?? []).flatMap(({ servers }) => servers),
      owners: () => new Map(Object.entries(this.#memory.versions)),
    });
    await agent.listen(policy.agent).catch((error: unknown) => {
      const { host, port } = policy.agent!;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`haproxy.agent: ${host}:${port} cannot be had: ${why}`);
    });
    this.#agent = agent;
  }

  async #shut(): Promise<void> {
    const [driver, agent] = [this.#driver, this.#agent];
    this.#driver = null;
    this.#agent = null;
    await agent?.close();
    await driver?.stop();
  }

  /** One after the other. What is lost makes the next start set HAProxy as if for the first time. */
  #remember(memory: Memory): void {
    this.#memory = memory;
    this.#work = this.#work.then(() =>
      replaceFile(diskFiles, this.#file, formatMemory(memory)).catch((err: unknown) => {
        this.#surroundings.log.warn({ err }, 'what HAProxy was set to could not be written down');
      }),
    );
  }
}

export async function openHaproxy(config: Config, surroundings: HaproxySurroundings): Promise<Haproxy> {
  const text = await readFile(join(config.stateDir, MEMORY_FILE), 'utf8').catch(() => null);
  return new Haproxy(config, parseMemory(text), surroundings);
}

/** What new sessions get is told cumulatively. */
function drivenVersions({ versions, shares }: RoutingTable): readonly DrivenVersion[] {
  const share = new Map<string, number>();
  let upTo = 0;
  for (const one of shares) {
    share.set(one.version.id, one.upTo - upTo);
    upTo = one.upTo;
  }
  return [...versions.values()].map(({ id, state, isDeleted, upstreams }) => ({
    id,
    state: isDeleted ? 'deleted' : state,
    share: share.get(id) ?? 0,
    upstreams,
  }));
}
