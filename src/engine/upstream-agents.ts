// Connections to upstreams, kept open between requests: an agent for each (version, address), since the same address may
// be V1 today and V3 tomorrow, and an answer of the one must never be read as the other's.

import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Gauges } from '../core/gauges.ts';
import type { Limits } from '../core/policy.ts';
import type { TableUpstream } from '../core/table.ts';
import type { GreetedServers } from './greeted.ts';
import type { Greeted, Greeting } from './greeting.ts';
import { connectOptions, type WhyForbidden } from './guarded-lookup.ts';
import { type ConnectionEnds, proxyHeader } from './proxy-header.ts';
import { UpstreamSocket } from './upstream-socket.ts';

/** A client's connection. */
export interface Owner {
  readonly ends: ConnectionEnds | null;
}

/** Agents of one client, of pools that want to know whose connection it is: it asks for one thing at a time. */
const MOST_OWN = 4;

export class UpstreamAgents {
  /** In force for agents made from now on. */
  limits: Limits;
  /** By upstream slot. */
  readonly #agents = new Map<number, UpstreamAgent>();
  /** Those of one client each, whose connections begin with its PROXY header; by upstream slot, the latest made last. */
  readonly #own = new Map<Owner, Map<number, UpstreamAgent>>();
  /** Tunnels included, which no agent knows any more. */
  readonly #sockets = new Set<Socket>();
  readonly #gauges: Gauges;
  readonly #whyForbidden: WhyForbidden | undefined;
  readonly greeted: GreetedServers;

  constructor(limits: Limits, gauges: Gauges, greeted: GreetedServers, whyForbidden?: WhyForbidden) {
    this.limits = limits;
    this.greeted = greeted;
    this.#gauges = gauges;
    this.#whyForbidden = whyForbidden;
  }

  get open(): number {
    return this.#sockets.size;
  }

  get idle(): number {
    let count = 0;
    for (const agents of this.#all()) for (const agent of agents.values()) count += agent.idle.length;
    return count;
  }

  /** `fresh` takes no idle connection: one has just turned out to be dead, and the others are as old. */
  of(version: string, upstream: TableUpstream, fresh: boolean, owner: Owner): Agent {
    const agents = upstream.sendProxy === undefined ? this.#agents : this.#ownOf(owner);
    let agent = agents.get(upstream.slot);
    if (agent === undefined || agent.version !== version || !agent.isFor(upstream)) {
      agent?.retire(); // the slot has changed hands
      agent = new UpstreamAgent(
        version,
        upstream,
        this.limits,
        (socket) => this.#opened(socket, upstream.slot),
        this.greeted,
        this.#whyForbidden,
        upstream.sendProxy === undefined ? null : owner,
      );
      agents.set(upstream.slot, agent);
      if (agents !== this.#agents) retireBeyond(agents, MOST_OWN);
    }
    agent.upstream = upstream;
    if (fresh) agent.closeIdle();
    return agent;
  }

  /** Idle ones close now, busy ones after their answer. */
  close(version: string, address: string | null): void {
    for (const agents of this.#all()) {
      for (const [slot, agent] of agents) {
        if (agent.version !== version || (address !== null && agent.address !== address)) continue;
        agent.retire();
        agents.delete(slot);
      }
    }
  }

  /** Nobody else may use what was opened for it. */
  clientGone(client: Owner): void {
    const agents = this.#own.get(client);
    if (agents === undefined) return;
    this.#own.delete(client);
    retireBeyond(agents, 0);
  }

  #all(): Map<number, UpstreamAgent>[] {
    return [this.#agents, ...this.#own.values()];
  }

  #ownOf(owner: Owner): Map<number, UpstreamAgent> {
    const agents = this.#own.get(owner) ?? new Map<number, UpstreamAgent>();
    this.#own.set(owner, agents);
    return agents;
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

/** The oldest ones. */
function retireBeyond(agents: Map<number, UpstreamAgent>, most: number): void {
  for (const [slot, agent] of agents) {
    if (agents.size <= most) return;
    agent.retire();
    agents.delete(slot);
  }
}

class UpstreamAgent extends Agent {
  readonly version: string;
  /** As the table has it now: what it must say may be another than when the agent was made. */
  upstream: TableUpstream;
  readonly #connectMs: number;
  readonly #greeted: GreetedServers;
  readonly #onOpened: (socket: Socket) => void;
  readonly #whyForbidden: WhyForbidden | undefined;
  readonly #owner: Owner | null;
  #isRetired = false;

  constructor(
    version: string,
    upstream: TableUpstream,
    { upstreamIdleMs, connectMs }: Limits,
    onOpened: (socket: Socket) => void,
    greeted: GreetedServers,
    whyForbidden: WhyForbidden | undefined,
    owner: Owner | null,
  ) {
    super({ keepAlive: true, timeout: upstreamIdleMs });
    this.version = version;
    this.upstream = upstream;
    this.#connectMs = connectMs;
    this.#greeted = greeted;
    this.#onOpened = onOpened;
    this.#whyForbidden = whyForbidden;
    this.#owner = owner;
  }

  /** What begins its connections has been said once: it holds for as long as that is what the pool wants. */
  isFor({ address, sendProxy }: TableUpstream): boolean {
    return this.upstream.address === address && this.upstream.sendProxy === sendProxy;
  }

  get address(): string {
    return this.upstream.address;
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

  override createConnection(
    _options: unknown,
    onCreated?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null {
    const greeting = this.#greeted.greetingFor(this.upstream);
    const socket = this.#connect();
    if (greeting === null || onCreated === undefined) return socket;
    greet(socket, greeting, this.#connectMs, (greeted) => {
      const why = this.#greeted.judge(this.upstream, greeted);
      if (why !== null) {
        socket.destroy();
        onCreated(new Error(why), socket);
      } else if (greeted.is === 'said' && greeted.keepsAlive) onCreated(null, socket);
      else {
        socket.destroy();
        onCreated(null, this.#connect());
      }
    });
    return null;
  }

  #connect(): UpstreamSocket {
    const socket = new UpstreamSocket();
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    if (this.#owner !== null) this.#open(socket, this.#owner);
    socket.connect(connectOptions(this.upstream, this.#whyForbidden));
    this.#onOpened(socket);
    return socket;
  }

  /** Its header leaves with the head of the request, which node:http writes before the connection stands. */
  #open(socket: Socket, owner: Owner): void {
    socket.cork();
    socket.write(proxyHeader(this.upstream.sendProxy!, owner.ends), 'latin1');
    socket.once('connect', () => process.nextTick(() => socket.uncork()));
  }

  /** @types/node says void; node:http destroys the socket when this is not true. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#isRetired) return false;
    return super.keepSocketAlive(socket) as unknown as boolean;
  }
}

/** Asks what it runs; `onGreeted` is told once. The socket is as it was before, but for what was read of it. */
function greet(
  socket: Socket,
  greeting: Greeting,
  withinMs: number,
  onGreeted: (greeted: Greeted) => void,
): void {
  const end = (greeted: Greeted | null) => {
    if (greeted === null) return;
    clearTimeout(timer);
    socket.off('connect', ask).off('data', hear).off('end', ended).off('error', fail).off('close', closed);
    // Until its next owner listens.
    socket.on('error', () => {});
    onGreeted(greeted);
  };
  const ask = () => socket.write(greeting.request, 'latin1');
  const hear = (data: Buffer) => end(greeting.take(data));
  const ended = () => end(greeting.take(NOTHING, true));
  const fail = ({ code, message }: NodeJS.ErrnoException) => end({ is: 'broken', why: code ?? message });
  const closed = () => end({ is: 'broken', why: 'closed' });
  const timer = setTimeout(() => end({ is: 'broken', why: 'no answer in time' }), withinMs);
  socket.on('connect', ask).on('data', hear).on('end', ended).on('error', fail).on('close', closed);
}

const NOTHING = Buffer.alloc(0);
