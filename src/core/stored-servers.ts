// What of servers outlives the process: those that operators added, and what each source last told, so that a gateway that
// starts while DNS is away, or a file is gone, begins with what it knew. Pure.

import { parseUpstreamUrl } from './pool.ts';
import { SERVER_SOURCES, type ServerSource, type ToldServer } from './server.ts';

export interface AddedServer {
  readonly name: string | null;
  readonly address: string;
  /** ISO 8601. */
  readonly addedAt: string;
  /** Name of the token, or 'local'. */
  readonly by: string;
}

/** A source, or one of several of its kind. */
export interface SourceId {
  readonly source: ServerSource;
  /** Which: the DNS name, the path of the file; '' where there is but one. */
  readonly of: string;
}

export interface StoredServers {
  readonly added: readonly AddedServer[];
  readonly told: readonly (SourceId & { readonly servers: readonly ToldServer[] })[];
}

export const NO_STORED_SERVERS: StoredServers = { added: [], told: [] };

/** What the stored document holds is what this file says. */
export function isStoredServers(value: unknown): value is StoredServers {
  if (!isObject(value)) return false;
  const { added, told } = value;
  return (
    Array.isArray(added) &&
    added.every((server) => isToldServer(server) && isText(server['addedAt']) && isText(server['by'])) &&
    Array.isArray(told) &&
    told.every(
      (list) =>
        isObject(list) &&
        SERVER_SOURCES.some((source) => source === list['source']) &&
        isText(list['of']) &&
        Array.isArray(list['servers']) &&
        list['servers'].every(isToldServer),
    )
  );
}

function isToldServer(value: unknown): value is ToldServer & Record<string, unknown> {
  if (!isObject(value)) return false;
  const { name, address, weight } = value;
  // HAProxy's may have colons.
  const isName = name === null || (typeof name === 'string' && /^[\x21-\x7e]+$/.test(name));
  return isName && isAddress(address) && (weight === undefined || typeof weight === 'number');
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const parsed = parseUpstreamUrl(`http://${value}`);
  return parsed.ok && parsed.address === value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
