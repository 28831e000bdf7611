// Connections to upstreams, kept open between requests. They belong to (version, address): the same address may be V1
// today and V3 tomorrow, and an answer of the one must never be read as the other's.

import type { Gauges } from '../core/gauges.ts';
import type { Limits } from '../core/policy.ts';
import type { TableUpstream } from '../core/table.ts';
import type { EnginePorts, EngineSettings } from '../engine/contract.ts';
import type { Deadlines } from '../engine/deadlines.ts';
import { GreetedServers } from '../engine/greeted.ts';
import type { WhyForbidden } from '../engine/guarded-lookup.ts';
import type { HandleWrites } from '../engine/handle-writes.ts';
import { proxyHeader } from '../engine/proxy-header.ts';
import type { AnswerHead } from './answer-head.ts';
import { OwnConnections, type Owner } from './own-connections.ts';
import type { SpareBuffers } from './read-buffer.ts';
import { Recurring } from './recurring.ts';
import { ResponseHead } from './response-head.ts';
import { UpstreamConnection, type UpstreamContext } from './upstream-connection.ts';

export class UpstreamPools implements UpstreamContext {
  readonly deadlines: Deadlines;
  readonly writes: HandleWrites;
  readonly buffers: SpareBuffers;
  limits: Limits;
  cookieName: string;
  reportHeader: string | null;
  readonly greeted: GreetedServers;
  readonly responseHead = new ResponseHead();
  readonly answers = new Recurring<AnswerHead>();
  /** Open at a time, to all upstreams. */
  readonly whyForbidden: WhyForbidden | undefined;
  #most: number;
  /** Idle connections by upstream slot, the latest used last: the oldest ones may time out in peace. */
  readonly #idle = new Map<number, UpstreamConnection[]>();
  /** Of pools with sendProxy. */
  readonly #own = new OwnConnections();
  readonly #all = new Set<UpstreamConnection>();
  readonly #gauges: Gauges;

  constructor(
    { deadlines, writes, buffers }: Pick<UpstreamContext, 'deadlines' | 'writes' | 'buffers'>,
    settings: EngineSettings,
    { gauges, whyForbidden, onUpstreamFault }: EnginePorts,
  ) {
    this.deadlines = deadlines;
    this.writes = writes;
    this.buffers = buffers;
    this.#gauges = gauges;
    this.whyForbidden = whyForbidden;
    this.greeted = new GreetedServers(settings.greeting ?? null, { onUpstreamFault });
    this.limits = settings.limits;
    this.cookieName = settings.cookie.name;
    this.reportHeader = settings.reportHeader ?? null;
    this.#most = mostOf(settings);
  }

  /** A reload: open connections go by the new ones as well. */
  reconfigure(settings: EngineSettings): void {
    this.limits = settings.limits;
    this.cookieName = settings.cookie.name;
    this.reportHeader = settings.reportHeader ?? null;
    this.#most = mostOf(settings);
    this.greeted.settings = settings.greeting ?? null;
    this.answers.forget();
  }

  get open(): number {
    return this.#all.size;
  }

  get idle(): number {
    let count = this.#own.size;
    for (const connections of this.#idle.values()) count += connections.length;
    return count;
  }

  /**
   * An idle connection, else a new one that is being opened. `fresh` takes no idle one, but closes one for its room. Null:
   * there may be no more. `owner`: for whom it is.
   */
  take(version: string, upstream: TableUpstream, fresh: boolean, owner: Owner): UpstreamConnection | null {
    if (upstream.sendProxy !== undefined) return this.#takeOwn(version, upstream, fresh, owner);
    const idle = fresh ? undefined : this.#idle.get(upstream.slot);
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
      if (connection.version === version && connection.upstream.address === upstream.address)
        return connection;
      connection.destroy(); // the slot has changed hands
    }
    if (fresh) this.#idle.get(upstream.slot)?.[0]?.destroy();
    return this.#hasRoom() ? this.#opened(this.#connection(version, upstream, null, '')) : null;
  }

  #takeOwn(
    version: string,
    upstream: TableUpstream,
    fresh: boolean,
    owner: Owner,
  ): UpstreamConnection | null {
    const idle = this.#own.take(owner, version, upstream);
    if (idle !== undefined && !fresh) return idle;
    idle?.destroy();
    if (!this.#hasRoom()) return null;
    const opening = proxyHeader(upstream.sendProxy!, owner.ends);
    return this.#opened(this.#connection(version, upstream, owner, opening));
  }

  #connection(
    version: string,
    upstream: TableUpstream,
    owner: Owner | null,
    opening: string,
  ): UpstreamConnection {
    const greeting = this.greeted.greetingFor(upstream);
    return new UpstreamConnection(this, version, upstream, owner, opening, greeting);
  }

  #opened(connection: UpstreamConnection): UpstreamConnection {
    this.#all.add(connection);
    this.#gauges.connectionOpened(connection.upstream.slot);
    return connection;
  }

  #hasRoom(): boolean {
    return this.#all.size < this.#most || this.#closeAnIdleOne();
  }

  /** Idle ones close now, busy ones after their answer. */
  close(version: string, address: string | null): void {
    for (const connection of this.#all) {
      if (connection.version !== version || (address !== null && connection.upstream.address !== address))
        continue;
      connection.isStale = true;
      if (this.#isIdle(connection)) connection.destroy();
    }
  }

  destroyAll(): void {
    for (const connection of this.#all) connection.destroy();
  }

  /** Nobody else may use what was opened for it. */
  clientGone(client: Owner): void {
    if (this.#own.size > 0) this.#own.ownerGone(client);
  }

  onIdle(connection: UpstreamConnection): void {
    if (connection.owner !== null) {
      this.#own.keep(connection);
      return;
    }
    const idle = this.#idle.get(connection.upstream.slot);
    if (idle === undefined) this.#idle.set(connection.upstream.slot, [connection]);
    else idle.push(connection);
  }

  onClosed(connection: UpstreamConnection): void {
    if (!this.#all.delete(connection)) return;
    this.#gauges.connectionClosed(connection.upstream.slot);
    this.#own.forget(connection);
    const idle = this.#idle.get(connection.upstream.slot);
    const at = idle?.indexOf(connection) ?? -1;
    if (at >= 0) idle!.splice(at, 1);
    if (idle?.length === 0) this.#idle.delete(connection.upstream.slot);
  }

  #closeAnIdleOne(): boolean {
    for (const [connection] of this.#idle.values()) {
      if (connection === undefined) continue;
      connection.destroy();
      return true;
    }
    return this.#own.closeOldest();
  }

  #isIdle(connection: UpstreamConnection): boolean {
    if (connection.owner !== null) return this.#own.has(connection);
    return this.#idle.get(connection.upstream.slot)?.includes(connection) ?? false;
  }
}

function mostOf({ upstreamSockets }: EngineSettings): number {
  return upstreamSockets ?? Number.POSITIVE_INFINITY;
}
