// The application's servers during a soak: two processes for each version that is out, on places whose ports the next
// version gets when the one before it is gone, as on real machines. One server at a time is killed now and then and comes
// back; its sibling lives, so that nobody is excused for long.

import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../kit/free-port.ts';
import type { TestProcess } from '../kit/processes.ts';
import { between, oneOf, type Random } from '../kit/random.ts';
import { startServer } from './application.ts';
import type { Timeline } from './timeline.ts';

const PLACES = 7;
/** Before it may be killed (again), a server has had this long to be found healthy. */
const SETTLED_MS = 3_000;
const SERVERS = ['a', 'b'] as const;

interface RunningServer {
  readonly name: string;
  readonly port: number;
  process: TestProcess;
  upSinceMs: number;
}

export interface Pool {
  readonly version: string;
  readonly urls: readonly string[];
  readonly servers: readonly RunningServer[];
}

export class Pools {
  readonly #free: (readonly number[])[] = [];
  readonly #pools = new Map<string, Pool>();
  readonly #timeline: Timeline;
  readonly #leaving = new Set<Promise<unknown>>();

  private constructor(places: readonly (readonly number[])[], timeline: Timeline) {
    this.#free.push(...places);
    this.#timeline = timeline;
  }

  static async open(timeline: Timeline): Promise<Pools> {
    const ports = await freePorts(PLACES * SERVERS.length);
    const places = Array.from({ length: PLACES }, (_, at) =>
      ports.slice(at * SERVERS.length, (at + 1) * SERVERS.length),
    );
    return new Pools(places, timeline);
  }

  /** Null when all places are taken. */
  async start(version: string): Promise<Pool | null> {
    const ports = this.#free.shift();
    if (ports === undefined) return null;
    const servers = await Promise.all(
      SERVERS.map(async (name, at) => {
        const port = ports[at]!;
        const process = await startServer(version, name, port);
        return { name, port, process, upSinceMs: performance.now() };
      }),
    );
    const pool = { version, urls: ports.map((port) => `http://127.0.0.1:${port}`), servers };
    this.#pools.set(version, pool);
    return pool;
  }

  /** The version is gone: its servers go as well, and its place is free. */
  async remove(version: string): Promise<void> {
    const pool = this.#pools.get(version);
    if (pool === undefined) return;
    this.#pools.delete(version);
    this.#timeline.killed(version, performance.now());
    const gone = Promise.all(pool.servers.map(({ process }) => process.stop('SIGKILL')));
    this.#leaving.add(gone);
    await gone;
    this.#leaving.delete(gone);
    this.#free.push(pool.servers.map(({ port }) => port));
  }

  /**
   * Kills one server whose sibling is up, and has it come back; false when there is none. `isFoundUp`: the gateway has found
   * both up, which on a machine that stands still now and then takes longer than on another.
   */
  async killOne(random: Random, isFoundUp: (version: string) => Promise<boolean>): Promise<boolean> {
    const nowMs = performance.now();
    const settled = [...this.#pools.values()].filter(({ servers }) =>
      servers.every(({ process, upSinceMs }) => process.isRunning() && nowMs - upSinceMs > SETTLED_MS),
    );
    if (settled.length === 0) return false;
    const pool = oneOf(random, settled);
    if (!(await isFoundUp(pool.version)) || this.#pools.get(pool.version) !== pool) return false;
    const server = oneOf(random, pool.servers);
    this.#timeline.killed(pool.version, performance.now());
    await server.process.stop('SIGKILL');
    await sleep(between(random, 500, 4_000));
    if (this.#pools.get(pool.version) !== pool) return true;
    server.process = await startServer(pool.version, server.name, server.port);
    server.upSinceMs = performance.now();
    // The version may have gone while its server started.
    if (this.#pools.get(pool.version) !== pool) await server.process.stop('SIGKILL');
    return true;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pools.keys()].map((version) => this.remove(version)));
    await Promise.all(this.#leaving);
  }
}
