// Keeps copies of assets that the data plane has seen pass: asks the asset's version for it once more, without any coding and in
// those that the answer varies by, and puts what comes into memory. Rules:
// - what is kept is what anybody would get: the answer is judged again, whatever the one was that the client got;
// - few at a time and few that wait: beside the traffic it is nothing; what finds no place is seen again;
// - an answer without a known end is not kept, for it could be half of one.

import {
  type AssetHead,
  assetName,
  isKeepable,
  lifetimeOf,
  type SeenAsset,
  variesByCoding,
  varyingBy,
} from '../core/asset-answer.ts';
import type { AssetMatch } from '../core/asset-match.ts';
import type { AssetAnswer, AssetAsker } from './asker.ts';
import { type Asset, KEPT_FIELDS, type Representation } from './asset.ts';
import type { AssetMemory } from './memory.ts';

export interface KeeperPorts {
  readonly asker: AssetAsker;
  /** Null: nothing is kept. */
  readonly memory: () => AssetMemory | null;
  readonly match: () => AssetMatch;
  /** Servers of a version that can be asked, the best first. */
  readonly serversOf: (version: string) => readonly string[];
  readonly wallMs: () => number;
}

/** Copies that were made, and attempts that failed: no answer, cut short, too large. */
export interface KeeperCounts {
  kept: number;
  failed: number;
}

const AT_ONCE = 4;
const MOST_WAITING = 1_000;
const CODINGS = ['', 'gzip', 'br'] as const;
/** Of one asset in one coding. */
const FETCH_MS = 30_000;

export class Keeper {
  readonly counts: KeeperCounts = { kept: 0, failed: 0 };
  readonly #ports: KeeperPorts;
  /** By name, in the order in which they came. */
  readonly #waiting = new Map<string, SeenAsset>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** It is kept soon, unless it is there already or there is no place for it. */
  see(asset: SeenAsset): void {
    const memory = this.#ports.memory();
    if (memory === null || this.#stop.signal.aborted) return;
    if (memory.find(asset) !== null) {
      memory.used(asset);
      return;
    }
    const name = assetName(asset);
    if (this.#waiting.size >= MOST_WAITING || this.#underWay.has(name)) return;
    if (!memory.isWritable || !memory.hasRoomFor(asset)) return;
    this.#waiting.set(name, asset);
    this.#next();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  /** What is under way is called off. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#waiting.clear();
    await Promise.all(this.#underWay.values());
  }

  #next(): void {
    for (const [name, asset] of this.#waiting) {
      if (this.#underWay.size >= AT_ONCE) return;
      this.#waiting.delete(name);
      const done = this.#keep(asset).finally(() => {
        this.#underWay.delete(name);
        this.#next();
      });
      this.#underWay.set(name, done);
    }
  }

  /** Never rejects. */
  async #keep(asset: SeenAsset): Promise<void> {
    const memory = this.#ports.memory();
    const kind = this.#ports.match().kindOf(asset.target);
    if (memory === null || kind === null) return;
    const found: { representation: Representation; vary: string }[] = [];
    for (const coding of CODINGS) {
      // The first answer says whether there are others.
      if (coding !== '' && !variesByCoding(found[0]!.vary)) break;
      const copy = await this.#copy(asset, coding, memory, (head) => isKeepable(lifetimeOf(head), kind));
      if (copy !== null && copy.representation.coding === coding) found.push(copy);
      else if (copy !== null) await memory.release(copy.representation.body);
      if (coding === '' && found.length === 0) return;
    }
    const varying = [...new Set(found.flatMap(({ vary }) => varyingBy(vary) ?? []))];
    const { version, scheme, host, target } = asset;
    const representations = found.map(({ representation }) => representation);
    const kept: Asset = {
      version,
      scheme,
      host,
      target,
      varying,
      keptAt: this.#ports.wallMs(),
      representations,
    };
    await memory.keep(kept);
    this.counts.kept++;
  }

  /** One coding of it, on disk and held; null when it is not to be had or not to be kept. */
  async #copy(
    asset: SeenAsset,
    coding: (typeof CODINGS)[number],
    memory: AssetMemory,
    isWanted: (head: AssetHead) => boolean,
  ): Promise<{ representation: Representation; vary: string } | null> {
    const [server] = this.#ports.serversOf(asset.version);
    if (server === undefined) return null;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(FETCH_MS)]);
    try {
      const fields = { 'accept-encoding': coding === '' ? 'identity' : coding, accept: '*/*' };
      const answer = await this.#ports.asker.ask(server, { ...asset, method: 'GET', fields }, signal);
      const vary = answer.fields['vary'] ?? '';
      const answered = answer.fields['content-encoding']?.toLowerCase() ?? '';
      const isKnown = answered === '' || answered === 'identity' || answered === coding;
      const isFit = varyingBy(vary) !== null && isKnown && hasKnownEnd(answer, memory.policy.maxFileBytes);
      if (!isFit || !isWanted(headOf(answer))) {
        answer.body.destroy();
        return null;
      }
      const written = await write(answer, memory);
      if (written === null) return null;
      const representation = { ...written, coding: answered === coding ? coding : '', ...described(answer) };
      return { representation, vary };
    } catch {
      this.counts.failed++;
      return null;
    }
  }
}

export function headOf({ status, fields }: AssetAnswer): AssetHead {
  return {
    status,
    contentType: fields['content-type'] ?? '',
    cacheControl: fields['cache-control'] ?? '',
    expires: fields['expires'] ?? '',
    hasSetCookie: fields['set-cookie'] !== undefined,
  };
}

/** Else its end is that of the connection, and a half of it looks like the whole. */
function hasKnownEnd({ fields }: AssetAnswer, maxBytes: number): boolean {
  const length = fields['content-length'];
  return length === undefined ? fields['transfer-encoding'] !== undefined : Number(length) <= maxBytes;
}

/** Null when the disk does not take it. Rejects when it is cut short or too large. */
async function write(
  { body }: AssetAnswer,
  memory: AssetMemory,
): Promise<{ readonly body: string; readonly length: number } | null> {
  const writer = await memory.write();
  if (writer === null) {
    body.destroy();
    return null;
  }
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (writer.length + piece.length > memory.policy.maxFileBytes) throw new Error('too large');
      await writer.write(piece).catch((error: unknown) => {
        memory.trouble(error);
        throw error;
      });
    }
  } catch (error) {
    await writer.discard();
    throw error;
  }
  return memory.finish(writer);
}

function described({ fields }: AssetAnswer): Pick<Representation, 'etag' | 'lastModified' | 'fields'> {
  const kept = Object.entries(fields).filter(([name]) => KEPT_FIELDS.has(name));
  return {
    etag: fields['etag'] ?? '',
    lastModified: fields['last-modified'] ?? '',
    fields: kept.flat(),
  };
}
