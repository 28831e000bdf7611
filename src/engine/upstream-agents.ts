// Connections to upstreams, kept open between requests: an agent for each (version, address), since the same address may
// be V1 today and V3 tomorrow, and an answer of the one must never be read as the other's.

import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Gauges } from '../core/gauges.ts';
import type { Limits } from '../core/policy.ts';
import type { TableUpstream } from '../core/table.ts';
import { connectOptions, type WhyForbidden } from './guarded-lookup.ts';
import { UpstreamSocket } from './upstream-socket.ts';

export class UpstreamAgents {
  /** In force for agents made from now on. */
  limits: Limits;
  /** By upstream slot. */
  readonly #agents = new Map<number, UpstreamAgent>();
  /** Tunnels included, which no agent knows any more. */
  readonly #sockets = new Set<Socket>();
  readonly #gauges: Gauges;
  readonly #whyForbidden: WhyForbidden | undefined;

  constructor(limits: Limits, gauges: Gauges, whyForbidden?: WhyForbidden) {
    this.limits = limits;
    this.#gauges = gauges;
    this.#whyForbidden = whyForbidden;
  }

  get open(): number {
    return this.#sockets.size;
  }

  get idle(): number {
    let count = 0;
    for (const agent of this.#agents.values()) count += agent.idle.length;
    return count;
  }

  /** `fresh` takes no idle connection: one has just turned out to be dead, and the others are as old. */
  of(version: string, upstream: TableUpstream, fresh: boolean): Agent {
    let agent = this.#agents.get(upstream.slot);
    if (agent === undefined || agent.version !== version || agent.address !== upstream.address) {
      agent?.retire(); // the slot has changed hands
      agent = new UpstreamAgent(
        version,
        upstream,
        this.limits,
        (socket) => this.#opened(socket, upstream.slot),
        this.#whyForbidden,
      );
      this.#agents.set(upstream.slot, agent);
    }
    if (fresh) agent.closeIdle();
    return agent;
  }

  /** Idle ones close now, busy ones after their answer. */
  close(version: string, address: string | null): void {
    for (const [slot, agent] of this.#agents) {
      if (agent.version !== version || (address !== null && agent.address !== address)) continue;
      agent.retire();
      this.#agents.delete(slot);
    }
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #opened(socket: Socket, upstreamSlot: number): void {
    this.#sockets.add(socket);
    this.#gauges.connectionOpened(upstreamSlot);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#gauges.connectionClosed(upstreamSlot);
    });
  }
}

class UpstreamAgent extends Agent {
  readonly version: string;
  readonly #upstream: TableUpstream;
  readonly #onOpened: (socket: Socket) => void;
  readonly #whyForbidden: WhyForbidden | undefined;
  #isRetired = false;

  constructor(
    version: string,
    upstream: TableUpstream,
    { upstreamIdleMs }: Limits,
    onOpened: (socket: Socket) => void,
    whyForbidden: WhyForbidden | undefined,
  ) {
    super({ keepAlive: true, timeout: upstreamIdleMs });
    this.version = version;
    this.#upstream = upstream;
    this.#onOpened = onOpened;
    this.#whyForbidden = whyForbidden;
  }

  get address(): string {
    return this.#upstream.address;
  }

  get idle(): readonly Socket[] {
    return Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []);
  }

  closeIdle(): void {
    for (const socket of this.idle) socket.destroy();
  }

  retire(): void {
    this.#isRetired = true;
    this.closeIdle();
  }

  override createConnection(): Duplex {
    const socket = new UpstreamSocket();
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    socket.connect(connectOptions(this.#upstream, this.#whyForbidden));
    this.#onOpened(socket);
    return socket;
  }

  /** @types/node says void; node:http destroys the socket when this is not true. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#isRetired) return false;
    return super.keepSocketAlive(socket) as unknown as boolean;
  }
}
