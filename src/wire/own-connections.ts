// Idle connections to upstreams that began with a PROXY header: it said whose they are, so they serve that client's connection
// and no other (HAProxy since 2.4 does the same), and end with it.

import type { TableUpstream } from '../core/table.ts';
import type { ConnectionEnds } from '../engine/proxy-header.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** A client's connection. */
export interface Owner {
  readonly ends: ConnectionEnds | null;
}

/** Of one client: it asks for one thing at a time, but upstreams take turns. */
const MOST_IDLE = 4;

export class OwnConnections {
  /** The latest used last. */
  readonly #byOwner = new Map<Owner, UpstreamConnection[]>();
  /** All of them, the oldest first. */
  readonly #idle = new Set<UpstreamConnection>();

  get size(): number {
    return this.#idle.size;
  }

  has(connection: UpstreamConnection): boolean {
    return this.#idle.has(connection);
  }

  take(owner: Owner, version: string, upstream: TableUpstream): UpstreamConnection | undefined {
    const found = this.#byOwner
      .get(owner)
      ?.find((one) => one.version === version && isSame(one.upstream, upstream));
    if (found !== undefined) this.forget(found);
    return found;
  }

  keep(connection: UpstreamConnection): void {
    const owner = connection.owner!;
    const own = this.#byOwner.get(owner) ?? [];
    this.#byOwner.set(owner, own);
    this.#idle.add(connection);
    own.push(connection);
    if (own.length > MOST_IDLE) own[0]!.destroy();
  }

  /** It is idle no more. */
  forget(connection: UpstreamConnection): void {
    if (!this.#idle.delete(connection)) return;
    const own = this.#byOwner.get(connection.owner!)!;
    own.splice(own.indexOf(connection), 1);
    if (own.length === 0) this.#byOwner.delete(connection.owner!);
  }

  ownerGone(owner: Owner): void {
    for (const connection of [...(this.#byOwner.get(owner) ?? [])]) connection.destroy();
  }

  /** False when there is none. */
  closeOldest(): boolean {
    const [oldest] = this.#idle;
    oldest?.destroy();
    return oldest !== undefined;
  }
}

/** What begins a connection has been said once: it holds for as long as that is what the pool wants. */
function isSame(one: TableUpstream, other: TableUpstream): boolean {
  return one.address === other.address && one.slot === other.slot && one.sendProxy === other.sendProxy;
}
