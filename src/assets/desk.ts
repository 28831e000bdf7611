// Answers requests for assets that their version does not have, or that has gone. Looked for in this order, until it is found:
// memory of that very version; for names with a hash, memory of any; versions that take traffic, the newest first, or at once
// the one that had it last. Rules:
// - nothing of the client but what it accepts and its origin goes to another version, and nothing for one client comes back;
// - versions are asked for one name once at a time; what none has is not looked for again for a while, and what can be looked
//   for in vain is rationed by the networks of clients, so that requests for made-up names lead to few others, and stop nobody else's;
// - an answer says whose it is. Not found is an empty 404: the data plane has a better one.

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import {
  assetName,
  isKeepable,
  isShareable,
  lifetimeOf,
  type SeenAsset,
  varyingBy,
} from '../core/asset-answer.ts';
import type { AssetKind, AssetMatch } from '../core/asset-match.ts';
import type { AssetAnswer, AssetAsker } from './asker.ts';
import type { Asset } from './asset.ts';
import { headOf } from './keeper.ts';
import type { AssetMemory } from './memory.ts';
import { Misses, SharedRation } from './misses.ts';
import { reply } from './representing.ts';

export interface Wanted extends SeenAsset {
  /** Textual IPv4 or IPv6. */
  readonly client: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: IncomingHttpHeaders;
}

/** memory: of that version. other: of another one. live: a version that takes traffic. */
export type Found = 'memory' | 'other' | 'live' | 'missing';

export interface DeskPorts {
  readonly asker: AssetAsker;
  readonly memory: () => AssetMemory | null;
  readonly match: () => AssetMatch;
  /** That take traffic, the newest first. */
  readonly liveVersions: () => readonly string[];
  readonly serversOf: (version: string) => readonly string[];
  /** An asset of a live version that can be kept has passed. */
  readonly onSeen: (asset: SeenAsset) => void;
  readonly wallMs: () => number;
}

/** Versions that are asked for one asset. */
const MOST_ASKED = 4;
const MOST_SEARCHES = 32;
const MISS_MS = 10_000;
/** Searches in vain: a page of another build has some dozen names at most that nobody has. */
const VAIN = { atOnce: 50, perSecond: 10 };
/** Of one network's clients. */
const VAIN_OF_ONE = { atOnce: 25, perSecond: 2 };
const MOST_OWNERS = 4_096;
/** Of all that a search waits for. */
const SEARCH_MS = 8_000;
/** What is said to another version of the client. */
const PASSED_UP = ['accept-encoding', 'accept', 'origin'] as const;
const NOT_PASSED_DOWN: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['set-cookie', 'proxy-authenticate', 'www-authenticate'],
]);

export class AssetDesk {
  /** How requests ended here. */
  readonly counts: Record<Found, number> = { memory: 0, other: 0, live: 0, missing: 0 };
  /** Requests that searches sent to versions. */
  asked = 0;
  readonly #ports: DeskPorts;
  readonly #misses = new Misses(MISS_MS);
  readonly #ration = new SharedRation(VAIN, VAIN_OF_ONE);
  /** Under way, by name: the version that has it. */
  readonly #searches = new Map<string, Promise<string | null>>();
  readonly #owners = new Map<string, string>();

  constructor(ports: DeskPorts) {
    this.#ports = ports;
  }

  /** Other versions may have it now. */
  versionsChanged(): void {
    this.#misses.forget();
    this.#owners.clear();
  }

  /** Never rejects. */
  async answer(wanted: Wanted, response: ServerResponse): Promise<void> {
    const found = await this.#find(wanted, response).catch((): Found => {
      // The client has left, or the rest of the answer cannot be had: it must not look whole.
      response.destroy();
      return 'missing';
    });
    this.counts[found]++;
    if (found === 'missing' && !response.headersSent)
      response.writeHead(404, { 'Content-Length': 0, 'Cache-Control': 'no-store' }).end();
  }

  async #find(wanted: Wanted, response: ServerResponse): Promise<Found> {
    const kind = this.#ports.match().kindOf(wanted.target);
    if (kind === null) return 'missing';
    const memory = this.#ports.memory();
    if (memory !== null) {
      for (const asset of remembered(memory, wanted, kind)) {
        if (!(await give(asset, memory, wanted, response))) continue;
        return asset.version === wanted.version ? 'memory' : 'other';
      }
    }
    return (await this.#fromLive(wanted, kind, response)) ? 'live' : 'missing';
  }

  async #fromLive(wanted: Wanted, kind: AssetKind, response: ServerResponse): Promise<boolean> {
    const name = assetName(wanted);
    const underWay = this.#searches.get(name);
    if (underWay !== undefined) {
      const owner = await underWay;
      return owner !== null && (await this.#passFrom([owner], wanted, kind, response)) !== null;
    }
    const nowMs = this.#ports.wallMs();
    if (this.#misses.has(name, nowMs) || this.#searches.size >= MOST_SEARCHES) return false;
    const versions = this.#candidates(wanted, name);
    // Who had it last is not asked in vain: a flood of made-up names takes nothing from what is known to be there.
    if (versions.length === 0 || !(this.#owners.has(name) || this.#ration.isLeft(wanted.client, nowMs)))
      return false;
    const search = Promise.withResolvers<string | null>();
    this.#searches.set(name, search.promise);
    const end = (owner: string | null) => {
      this.#searches.delete(name);
      search.resolve(owner);
    };
    try {
      const owner = await this.#passFrom(versions, wanted, kind, response, end);
      if (owner !== null) this.#remember(name, owner);
      else {
        this.#misses.add(name, this.#ports.wallMs());
        this.#ration.take(wanted.client, this.#ports.wallMs());
      }
      return owner !== null;
    } finally {
      end(null);
    }
  }

  /** The first of these that has it answers, and is told to `onFound` before its octets are under way. */
  async #passFrom(
    versions: readonly string[],
    wanted: Wanted,
    kind: AssetKind,
    response: ServerResponse,
    onFound: (owner: string) => void = () => {},
  ): Promise<string | null> {
    const signal = AbortSignal.timeout(SEARCH_MS);
    for (const version of versions) {
      const answer = await this.#ask(version, wanted, kind, signal);
      if (answer === null) continue;
      onFound(version);
      const { host, target, scheme } = wanted;
      if (isKeepable(lifetimeOf(headOf(answer)), kind)) this.#ports.onSeen({ version, host, target, scheme });
      await pass(answer, version, wanted.method, response);
      return version;
    }
    return null;
  }

  /** Null: it does not have it, or not for everybody. */
  async #ask(
    version: string,
    wanted: Wanted,
    kind: AssetKind,
    search: AbortSignal,
  ): Promise<AssetAnswer | null> {
    const [server] = this.#ports.serversOf(version);
    if (server === undefined || search.aborted) return null;
    const { method, host, target, scheme, headers } = wanted;
    const fields: Record<string, string> = {};
    for (const name of PASSED_UP) if (headers[name] !== undefined) fields[name] = headers[name];
    const head = new AbortController();
    const onTimeout = () => head.abort();
    search.addEventListener('abort', onTimeout);
    this.asked++;
    try {
      const request = { method, version, host, target, scheme, fields };
      const answer = await this.#ports.asker.ask(server, request, head.signal);
      const varying = varyingBy(answer.fields['vary'] ?? '');
      const isHere = varying?.every((name) => name === 'origin' || headers[name] === undefined) ?? false;
      if (isHere && isShareable(headOf(answer), kind, this.#ports.wallMs())) return answer;
      answer.body.destroy();
      return null;
    } catch {
      return null;
    } finally {
      // From here on it takes as long as it takes, as long as it comes.
      search.removeEventListener('abort', onTimeout);
    }
  }

  #candidates({ version: wanted }: Wanted, name: string): readonly string[] {
    const live = this.#ports.liveVersions().filter((version) => version !== wanted);
    const owner = this.#owners.get(name);
    const first = owner !== undefined && live.includes(owner) ? [owner] : [];
    return [...first, ...live.filter((version) => version !== owner)].slice(0, MOST_ASKED);
  }

  #remember(name: string, owner: string): void {
    if (this.#owners.size >= MOST_OWNERS) this.#owners.delete(this.#owners.keys().next().value!);
    this.#owners.set(name, owner);
  }
}

/** Without a host: what was fetched before anybody asked. */
function* remembered(
  memory: AssetMemory,
  { version, scheme, host, target }: Wanted,
  kind: AssetKind,
): Iterable<Asset> {
  for (const site of [host, '']) {
    const own = memory.find({ version, scheme, host: site, target });
    if (own !== null) yield own;
  }
  if (kind !== 'hashed') return;
  for (const site of [host, '']) {
    const all = memory.findAny({ scheme, host: site, target });
    for (const asset of all) if (asset.version !== version) yield asset;
  }
}

/** False: it is not fit for that request, or damaged. */
async function give(
  asset: Asset,
  memory: AssetMemory,
  { method, headers }: Wanted,
  response: ServerResponse,
): Promise<boolean> {
  const planned = reply(asset, method, headers);
  if (planned === null) return false;
  const read = await memory.read(asset, planned.representation);
  if (read === null) return false;
  memory.used(asset);
  response.writeHead(planned.status, [...planned.fields, 'x-lockstep-version', asset.version]);
  if (planned.part === null) response.end();
  else await pipeline(read(planned.part.start, planned.part.end), response);
  return true;
}

async function pass(
  { status, fields, body }: AssetAnswer,
  version: string,
  method: 'GET' | 'HEAD',
  response: ServerResponse,
): Promise<void> {
  const passed = Object.entries(fields).filter(
    ([name]) => !NOT_PASSED_DOWN.has(name) && !name.startsWith('x-lockstep-'),
  );
  response.writeHead(status, [...passed.flat(), 'x-lockstep-version', version]);
  if (method === 'HEAD') {
    body.destroy();
    response.end();
  } else await pipeline(body, response);
}
