// Asset memory: assets of versions, kept on disk, found by version, scheme, host and path. Rules:
// - bounded by octets, number and age; what was of use longest ago goes first, and assets of versions that take traffic last:
//   they will be asked for when those have gone;
// - age counts from the last use, or from when the version last took traffic;
// - what is damaged is dropped, never given; what cannot be written is not kept, and the gateway goes on;
// - nothing is written or removed once another gateway has taken the state directory.

import * as disk from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { assetName, type SeenAsset } from '../core/asset-answer.ts';
import type { AssetMemoryPolicy } from '../core/policy.ts';
import type { Asset, Representation } from './asset.ts';
import { type BodyFiles, BodyStore, type BodyWriter } from './bodies.ts';
import { type IndexFiles, type IndexLine, IndexLog } from './index-log.ts';

export type MemoryFiles = BodyFiles & IndexFiles;

/** Who may write to the state directory. */
export interface Holder {
  /** As far as it is known. */
  readonly isLost: boolean;
  /** Looks. May reject. */
  isHeld(): Promise<boolean>;
}

export interface MemoryPorts {
  readonly holder: Holder;
  readonly wallMs: () => number;
  /** The disk did not do what it was told: nothing is kept for a while. Told once for each time. */
  readonly onTrouble: (error: unknown) => void;
  /** It can be written again. */
  readonly onWell: () => void;
  /** An asset was damaged, and dropped. */
  readonly onDamaged: (asset: Asset) => void;
  readonly files?: MemoryFiles;
}

interface Entry {
  readonly asset: Asset;
  usedAt: number;
}

/** Each takes about 1 KB of memory, whatever its octets. */
const MOST_ASSETS = 20_000;
/** On disk, besides the octets: a line of the index, a block that is not filled. */
const ASSET_OCTETS = 2_048;
/** Not one by one when it is full. */
const EVICT_TO = 0.95;
/** Queries of one path: random ones would push everything else out. */
const MOST_QUERIES = 8;
/** The same of one path on all hosts together: where `hosts` is not set, clients may say any. */
const MOST_VARIANTS = 32;
/** No host holds a space. */
const ANY_HOST = ' ';
/** After trouble with the disk. */
const REST_MS = 60_000;
/** How often it is written down which versions took traffic. */
const LIVE_EVERY_MS = 3_600_000;

export class AssetMemory {
  readonly #bodies: BodyStore;
  readonly #index: IndexLog;
  readonly #ports: MemoryPorts;
  #policy: AssetMemoryPolicy;
  /** By scheme, host and target, then by version. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  /** Targets by version, host and path, and by version and path. */
  readonly #variants = new Map<string, number>();
  readonly #liveAt = new Map<string, number>();
  #live: ReadonlySet<string> = new Set();
  #count = 0;
  #liveToldAt = 0;
  #troubleUntil = 0;
  #isClosed = false;

  /** Rejects when the folder cannot be read or made. */
  static async open(folder: string, policy: AssetMemoryPolicy, ports: MemoryPorts): Promise<AssetMemory> {
    const memory = new AssetMemory(folder, policy, ports);
    await memory.#load();
    return memory;
  }

  /** Only `open` makes one. */
  private constructor(folder: string, policy: AssetMemoryPolicy, ports: MemoryPorts) {
    const files = ports.files ?? disk;
    this.#policy = policy;
    this.#ports = ports;
    this.#bodies = new BodyStore(join(folder, 'bodies'), files);
    this.#index = new IndexLog(join(folder, 'index'), files);
  }

  get policy(): AssetMemoryPolicy {
    return this.#policy;
  }

  get assets(): number {
    return this.#count;
  }

  /** As far as they count against `maxBytes`. */
  get octets(): number {
    return this.#bodies.octets + this.#count * ASSET_OCTETS;
  }

  /** It can keep something now. */
  get isWritable(): boolean {
    return !this.#isClosed && !this.#ports.holder.isLost && this.#ports.wallMs() >= this.#troubleUntil;
  }

  configure(policy: AssetMemoryPolicy): void {
    this.#policy = policy;
    this.#makeRoom();
  }

  find(name: SeenAsset): Asset | null {
    return this.#entry(name)?.asset ?? null;
  }

  /** Of any version, the latest kept first. For names that hold a hash of the content. */
  findAny(name: Omit<SeenAsset, 'version'>): readonly Asset[] {
    const all = [...(this.#entries.get(keyOf(name))?.values() ?? [])];
    return all.map(({ asset }) => asset).sort((a, b) => b.keptAt - a.keptAt);
  }

  /** Of what is kept, those with most assets first. */
  hosts(): readonly string[] {
    const counts = new Map<string, number>();
    for (const { asset } of this.#all()) counts.set(asset.host, (counts.get(asset.host) ?? 0) + 1);
    counts.delete('');
    return [...counts].sort(([, a], [, b]) => b - a).map(([host]) => host);
  }

  /** It was of use: given to a client, or seen in its version. */
  used(name: SeenAsset): void {
    const entry = this.#entry(name);
    if (entry !== undefined) entry.usedAt = this.#ports.wallMs();
  }

  /** Whether one more target of that path would be kept. */
  hasRoomFor({ version, host, target }: Omit<SeenAsset, 'scheme'>): boolean {
    const queries = this.#variants.get(pathKey(version, host, target)) ?? 0;
    const variants = this.#variants.get(pathKey(version, ANY_HOST, target)) ?? 0;
    return queries < MOST_QUERIES && variants < MOST_VARIANTS;
  }

  /** Null when nothing can be written now. */
  async write(): Promise<BodyWriter | null> {
    if (!this.isWritable) return null;
    return this.#orTrouble(() => this.#bodies.write());
  }

  /** What `writer` has been given lies on the disk, held by the caller. Null when it could not be written. */
  finish(writer: BodyWriter): Promise<{ readonly body: string; readonly length: number } | null> {
    return this.#orTrouble(() =>
      writer.finish().catch(async (error: unknown) => {
        await writer.discard();
        throw error;
      }),
    );
  }

  /** For the disk's errors in between. */
  trouble(error: unknown): void {
    if (!this.isWritable) return;
    this.#troubleUntil = this.#ports.wallMs() + REST_MS;
    this.#ports.onTrouble(error);
  }

  /** A body that `finish` gave is not wanted after all. */
  async release(body: string): Promise<void> {
    // Its successor may have it.
    if (!this.#ports.holder.isLost) await this.#orTrouble(() => this.#bodies.release(body));
  }

  /** Takes the caller's hold of each body over. In place of what was kept under that name. */
  async keep(asset: Asset): Promise<void> {
    const before = this.#entry(asset);
    const usedAt = this.#ports.wallMs();
    this.#insert({ asset, usedAt });
    if (before !== undefined) this.#releaseAll(before.asset);
    await this.#log({ kept: asset, usedAt });
    this.#makeRoom();
  }

  /** The octets of a representation, to be read from `start` to `end` inclusive; null when they are not what was kept. */
  async read(
    asset: Asset,
    { body }: Representation,
  ): Promise<((start: number, end: number) => Readable) | null> {
    if (await this.#bodies.isSound(body)) return (start, end) => this.#bodies.read(body, start, end);
    if (this.#drop(asset)) this.#ports.onDamaged(asset);
    return null;
  }

  /**
   * To be called now and then, and when versions change: `live` take traffic; those that were cut off are not to be seen any
   * more, nor is what they had.
   */
  sweep(live: ReadonlySet<string>, cutOff: ReadonlySet<string>): void {
    const nowMs = this.#ports.wallMs();
    const isSame = live.size === this.#live.size && [...live].every((version) => this.#live.has(version));
    for (const version of [...this.#live, ...live]) this.#liveAt.set(version, nowMs);
    this.#live = new Set(live);
    const oldestMs = nowMs - this.#policy.maxAgeMs;
    for (const entry of [...this.#all()]) {
      const { asset } = entry;
      if (cutOff.has(asset.version) || this.#usefulAt(entry) < oldestMs) this.#drop(asset);
    }
    if (isSame && nowMs - this.#liveToldAt < LIVE_EVERY_MS) return;
    this.#liveToldAt = nowMs;
    for (const [version, at] of this.#liveAt) if (at < oldestMs) this.#liveAt.delete(version);
    void this.#log({ live: Object.fromEntries(this.#liveAt) });
  }

  /** Idempotent. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#rewrite();
    this.#isClosed = true;
    await this.#index.close().catch(() => {});
  }

  async #load(): Promise<void> {
    const { lines } = await this.#index.read();
    const loaded = new Map<string, Entry>();
    for (const line of lines) {
      if ('live' in line)
        for (const [version, at] of Object.entries(line.live)) this.#liveAt.set(version, at);
      else if ('dropped' in line) loaded.delete(assetName(line.dropped));
      else loaded.set(assetName(line.kept), { asset: line.kept, usedAt: line.usedAt });
    }
    const named = new Map<string, number>();
    for (const { asset } of loaded.values())
      for (const { body, length } of asset.representations) named.set(body, length);
    const found = await this.#bodies.open(named);
    for (const entry of loaded.values()) {
      const { representations } = entry.asset;
      if (!representations.every(({ body }) => found.has(body))) continue;
      for (const each of representations) this.#bodies.hold(each);
      this.#insert(entry);
    }
    await this.#orTrouble(() => this.#index.rewrite(() => this.#lines()));
    this.#makeRoom();
  }

  *#all(): Iterable<Entry> {
    for (const versions of this.#entries.values()) yield* versions.values();
  }

  /** The latest used last, as they are read again. */
  #lines(): readonly IndexLine[] {
    const kept = [...this.#all()].map(({ asset, usedAt }) => ({ kept: asset, usedAt }));
    return [...kept, { live: Object.fromEntries(this.#liveAt) }];
  }

  #entry(name: SeenAsset): Entry | undefined {
    return this.#entries.get(keyOf(name))?.get(name.version);
  }

  #insert(entry: Entry): void {
    const { version } = entry.asset;
    const key = keyOf(entry.asset);
    let versions = this.#entries.get(key);
    if (versions === undefined) {
      versions = new Map();
      this.#entries.set(key, versions);
    }
    if (!versions.has(version)) {
      this.#count++;
      this.#countVariant(entry.asset, 1);
    }
    versions.set(version, entry);
  }

  /** False when it was not there. */
  #drop(asset: Asset): boolean {
    const { version, scheme, host, target } = asset;
    const key = keyOf(asset);
    const versions = this.#entries.get(key);
    if (versions?.get(version)?.asset !== asset) return false;
    versions.delete(version);
    if (versions.size === 0) this.#entries.delete(key);
    this.#count--;
    this.#countVariant(asset, -1);
    this.#releaseAll(asset);
    void this.#log({ dropped: { version, scheme, host, target } });
    return true;
  }

  #countVariant({ version, host, target }: Asset, by: 1 | -1): void {
    for (const site of [host, ANY_HOST]) {
      const key = pathKey(version, site, target);
      const count = (this.#variants.get(key) ?? 0) + by;
      if (count === 0) this.#variants.delete(key);
      else this.#variants.set(key, count);
    }
  }

  #releaseAll({ representations }: Asset): void {
    for (const { body } of representations) void this.release(body);
  }

  #usefulAt({ asset, usedAt }: Entry): number {
    if (this.#live.has(asset.version)) return Number.POSITIVE_INFINITY;
    return Math.max(usedAt, this.#liveAt.get(asset.version) ?? 0);
  }

  #makeRoom(): void {
    const { maxBytes } = this.#policy;
    if (this.octets <= maxBytes && this.#count <= MOST_ASSETS) return;
    const byUse = [...this.#all()].sort((a, b) => {
      const [useA, useB] = [this.#usefulAt(a), this.#usefulAt(b)];
      return useA === useB ? a.usedAt - b.usedAt : useA - useB;
    });
    for (const { asset } of byUse) {
      if (this.octets <= maxBytes * EVICT_TO && this.#count <= MOST_ASSETS * EVICT_TO) return;
      this.#drop(asset);
    }
  }

  async #log(line: IndexLine): Promise<void> {
    if (!this.isWritable) return;
    await this.#orTrouble(() => this.#index.append(line));
    if (this.#index.isLong(this.#count)) await this.#rewrite();
  }

  /** In place of all that is there, which may be a successor's by now, and this process not have run since. */
  async #rewrite(): Promise<void> {
    if (!this.isWritable || !(await this.#ports.holder.isHeld().catch(() => false))) return;
    await this.#orTrouble(() => this.#index.rewrite(() => this.#lines()));
  }

  async #orTrouble<T>(step: () => Promise<T>): Promise<T | null> {
    try {
      const done = await step();
      if (this.#troubleUntil > 0 && this.isWritable) {
        this.#troubleUntil = 0;
        this.#ports.onWell();
      }
      return done;
    } catch (error) {
      this.trouble(error);
      return null;
    }
  }
}

/** Neither a host nor a target holds a space. */
function keyOf({ scheme, host, target }: Omit<SeenAsset, 'version'>): string {
  return `${scheme} ${host} ${target}`;
}

function pathKey(version: string, host: string, target: string): string {
  const query = target.indexOf('?');
  return `${version} ${host} ${query === -1 ? target : target.slice(0, query)}`;
}
