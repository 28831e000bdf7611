// The assets of all versions, as one thing with a lifetime: what is seen of them is kept, and what a version does not have any
// more is looked for. Made once, configured anew at a reload. Where nothing can be kept, versions are asked all the same.

import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { SeenAsset } from '../core/asset-answer.ts';
import { AssetMatch } from '../core/asset-match.ts';
import type { AssetPolicy } from '../core/policy.ts';
import type { AssetsStatus } from '../core/status.ts';
import { Ahead } from './ahead.ts';
import type { AssetAsker } from './asker.ts';
import { AssetDesk, type Found, type Wanted } from './desk.ts';
import { Keeper, type KeeperCounts } from './keeper.ts';
import { AssetMemory, type Holder } from './memory.ts';

export interface AssetsPorts {
  readonly asker: AssetAsker;
  /** Of the state directory. */
  readonly holder: Holder;
  /** Versions that take traffic, the newest first. */
  readonly liveVersions: () => readonly string[];
  readonly cutOffVersions: () => readonly string[];
  /** Found healthy, staged ones among them. */
  readonly healthyVersions: () => readonly string[];
  /** Servers of a version that can be asked, the best first. */
  readonly serversOf: (version: string) => readonly string[];
  readonly wallMs: () => number;
  /** `lockstep events`: the memory rests, and works again. */
  readonly tell: (
    type: 'asset-memory-off' | 'asset-memory-on',
    detail: Readonly<Record<string, unknown>>,
  ) => void;
  readonly warn: (detail: object, message: string) => void;
}

/** Where assets are looked for ahead. */
export interface AheadSettings {
  readonly paths: readonly string[];
  /** Null: any; those that clients named so far are used. */
  readonly hosts: readonly string[] | null;
  readonly scheme: 'http' | 'https';
}

export interface AssetCounts {
  readonly hits: Readonly<Record<Exclude<Found, 'missing'>, number>>;
  readonly misses: number;
  readonly asked: number;
  readonly copies: Readonly<KeeperCounts>;
  /** Null: there is no memory. */
  readonly memory: {
    readonly bytes: number;
    readonly maxBytes: number;
    readonly assets: number;
  } | null;
}

const SWEEP_MS = 60_000;
/** Names under which assets are fetched ahead. */
const MOST_HOSTS = 4;

export class Assets {
  readonly #folder: string;
  readonly #ports: AssetsPorts;
  readonly #keeper: Keeper;
  readonly #desk: AssetDesk;
  readonly #ahead: Ahead;
  readonly #timer: NodeJS.Timeout;
  #match: AssetMatch;
  /** Null: nothing is fetched ahead. */
  #aheadOf: AheadSettings | null = null;
  /** What is to be kept, and where that is not so: since when, and why. */
  #wanted: AssetPolicy['memory'] = null;
  #trouble: { readonly since: string; readonly error: string } | null = null;
  #memory: AssetMemory | null = null;
  #changes: Promise<unknown> = Promise.resolve();

  /** Never rejects: a folder that cannot be used is told, and nothing is kept. */
  static async open(
    stateDir: string,
    policy: AssetPolicy | null,
    ahead: AheadSettings,
    ports: AssetsPorts,
  ): Promise<Assets> {
    const assets = new Assets(join(stateDir, 'assets'), ports);
    await assets.configure(policy, ahead);
    return assets;
  }

  /** Only `open` makes one. */
  private constructor(folder: string, ports: AssetsPorts) {
    this.#folder = folder;
    this.#ports = ports;
    this.#match = new AssetMatch([]);
    const shared = {
      asker: ports.asker,
      memory: () => this.#memory,
      match: () => this.#match,
      serversOf: ports.serversOf,
      wallMs: ports.wallMs,
    };
    this.#keeper = new Keeper(shared);
    const onSeen = (asset: SeenAsset) => this.seen(asset);
    this.#desk = new AssetDesk({ ...shared, liveVersions: ports.liveVersions, onSeen });
    this.#ahead = new Ahead({ ...shared, onFound: onSeen });
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  get counts(): AssetCounts {
    const { missing, ...hits } = this.#desk.counts;
    const memory = this.#memory;
    return {
      hits,
      misses: missing,
      asked: this.#desk.asked,
      copies: this.#keeper.counts,
      memory: memory && {
        bytes: memory.octets,
        maxBytes: memory.policy.maxBytes,
        assets: memory.assets,
      },
    };
  }

  /** Null: none are to be kept. */
  get status(): AssetsStatus | null {
    if (this.#wanted === null) return null;
    return {
      kept: this.#memory?.assets ?? 0,
      bytes: this.#memory?.octets ?? 0,
      maxBytes: this.#wanted.maxBytes,
      writable: this.#trouble === null,
      since: this.#trouble?.since ?? null,
      error: this.#trouble?.error ?? null,
    };
  }

  /** In force when it resolves; one after the other. */
  configure(policy: AssetPolicy | null, ahead: AheadSettings): Promise<void> {
    this.#aheadOf = policy?.warm === true && policy.memory !== null ? ahead : null;
    const done = this.#changes.then(() => this.#configure(policy));
    this.#changes = done;
    return done;
  }

  /** A version gave this to a client, and says that it can be kept. */
  seen(asset: SeenAsset): void {
    this.#keeper.see(asset);
  }

  /** Never rejects. */
  answer(wanted: Wanted, response: ServerResponse): Promise<void> {
    return this.#desk.answer(wanted, response);
  }

  /** To be told of each change of versions. */
  versionsChanged(): void {
    this.#desk.versionsChanged();
    this.#sweep();
    this.#lookAhead();
  }

  /** Resolves when all that was seen is kept. */
  settled(): Promise<void> {
    return this.#keeper.settled();
  }

  /** Idempotent. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ahead.stop();
    await this.#keeper.stop();
    await this.#changes;
    await this.#memory?.close();
    await this.#ports.asker.close();
  }

  async #configure(policy: AssetPolicy | null): Promise<void> {
    this.#match = new AssetMatch(policy?.match ?? []);
    const wanted = policy?.memory ?? null;
    this.#wanted = wanted;
    if (wanted !== null && this.#memory !== null) this.#memory.configure(wanted);
    else if (wanted !== null) this.#memory = await this.#open(wanted);
    else {
      const old = this.#memory;
      this.#memory = null;
      this.#trouble = null;
      await old?.close();
    }
  }

  async #open(policy: NonNullable<AssetPolicy['memory']>): Promise<AssetMemory | null> {
    const { holder, wallMs, tell, warn } = this.#ports;
    const folder = this.#folder;
    let isOpen = false;
    try {
      this.#trouble = null;
      const memory = await AssetMemory.open(folder, policy, {
        holder,
        wallMs,
        onTrouble: (err) => {
          this.#trouble ??= this.#troubleOf(err);
          warn({ err, folder }, 'assets cannot be kept for now: the disk does not take them');
          // At the start there is nobody to be told yet.
          if (isOpen) tell('asset-memory-off', { why: messageOf(err) });
        },
        onWell: () => {
          this.#trouble = null;
          if (isOpen) tell('asset-memory-on', {});
        },
        onDamaged: ({ version, target }) =>
          warn({ version, target }, 'an asset that was kept is damaged; dropped'),
      });
      isOpen = true;
      return memory;
    } catch (err) {
      this.#trouble = this.#troubleOf(err);
      warn({ err, folder }, 'assets are not kept: their folder cannot be used');
      return null;
    }
  }

  #troubleOf(error: unknown): { readonly since: string; readonly error: string } {
    return { since: new Date(this.#ports.wallMs()).toISOString(), error: messageOf(error) };
  }

  #lookAhead(): void {
    const wish = this.#aheadOf;
    if (wish === null || this.#memory === null) return;
    const hosts = (wish.hosts ?? this.#memory.hosts()).slice(0, MOST_HOSTS);
    this.#ahead.look(this.#ports.healthyVersions(), { ...wish, hosts });
  }

  #sweep(): void {
    const { liveVersions, cutOffVersions } = this.#ports;
    this.#memory?.sweep(new Set(liveVersions()), new Set(cutOffVersions()));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
