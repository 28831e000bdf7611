// The servers of all sources as one list that changes. Rules: a list that is told again as it was is no change; who listens
// learns of a change once it can be read here, and a listener that throws harms neither the change nor other listeners.

import { isDeepStrictEqual } from 'node:util';
import { SERVER_SOURCES, type ToldServer } from '../core/server.ts';
import {
  compareServers,
  type ServerDifference,
  type ServerUnion,
  type UnitedServer,
  uniteServers,
} from '../core/server-union.ts';
import type { SourceId } from '../core/stored-servers.ts';

export interface ServersChanged extends ServerDifference {
  readonly servers: readonly UnitedServer[];
  /** Who did it; null: a source told something else. */
  readonly by: string | null;
}

export type ToldList = SourceId & { readonly servers: readonly ToldServer[] };

export class ServerRegistry {
  readonly #lists = new Map<string, ToldList>();
  readonly #listeners = new Set<(change: ServersChanged) => void>();
  #union: ServerUnion = uniteServers([]);

  get servers(): readonly UnitedServer[] {
    return this.#union.servers;
  }

  get union(): ServerUnion {
    return this.#union;
  }

  /** In the order of the sources. */
  get lists(): readonly ToldList[] {
    return [...this.#lists.values()].sort(bySource);
  }

  /** Of a source that told nothing yet, or is no more: none. */
  listOf(id: SourceId): readonly ToldServer[] {
    return this.#lists.get(keyOf(id))?.servers ?? [];
  }

  set(id: SourceId, servers: readonly ToldServer[], by: string | null = null): void {
    const { source, of } = id;
    this.setAll([...this.lists.filter((list) => keyOf(list) !== keyOf(id)), { source, of, servers }], by);
  }

  /** Instead of all that there were: what is not among them is forgotten. One change. */
  setAll(lists: readonly ToldList[], by: string | null = null): void {
    this.#lists.clear();
    for (const list of lists) this.#lists.set(keyOf(list), list);
    const next = uniteServers(this.lists);
    if (isDeepStrictEqual(next, this.#union)) return;
    const difference = compareServers(this.#union.servers, next.servers);
    this.#union = next;
    for (const listener of [...this.#listeners]) {
      try {
        listener({ servers: next.servers, ...difference, by });
      } catch {
        // Its owner's to notice, as of events.
      }
    }
  }

  /** The answer ends it. */
  onChange(listener: (change: ServersChanged) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function keyOf({ source, of }: SourceId): string {
  return `${source} ${of}`;
}

function bySource(a: SourceId, b: SourceId): number {
  const order = SERVER_SOURCES.indexOf(a.source) - SERVER_SOURCES.indexOf(b.source);
  return order !== 0 ? order : Number(a.of > b.of) - Number(a.of < b.of);
}
