// What one thread knows of assets: which requests asset memory may help, what it did not have a moment ago, and which assets
// were told of already. Rules: an ordinary request costs a look at a flag of its answer's head; a name that does not match is
// looked at once; all that clients can fill is bounded, and forgotten after a while.

import { isAssetRequest } from '../core/answer.ts';
import { assetName, isKeepable, type Lifetime, type SeenAsset } from '../core/asset-answer.ts';
import { isNobodyThere, wantedVersion } from '../core/asset-ask.ts';
import { AssetMatch, LONGEST_ASSET } from '../core/asset-match.ts';
import type { Decision, RequestFacts } from '../core/route.ts';
import type { EnginePorts, EngineSettings } from './contract.ts';
import type { Step } from './placing.ts';

/** Not asked for again for that long. */
const MISS_MS = 10_000;
const MOST_MISSES = 4_096;
const MOST_TOLD = 8_192;
/** A name of 253 octets (RFC 1035, 2.3.4) and a port. Longer ones are nobody's, and are not remembered. */
const LONGEST_HOST = 259;
/** Then all is told anew: memory may have lost it, and learns that it is of use. */
const TELL_AGAIN_MS = 10 * 60_000;

/** Targets by version and host. */
type Told = Map<string, Map<string, Set<string>>>;

export class AssetScout {
  readonly #match: AssetMatch;
  readonly #tell: (asset: SeenAsset) => void;
  readonly #nowMs: () => number;
  /** Until when, in the order in which they were added. */
  readonly #misses = new Map<string, number>();
  /** Without TLS, and with it. */
  #told = { http: new Map() as Told, https: new Map() as Told };
  #toldCount = 0;
  #toldSince: number;

  /** Null where assets are not remembered. `nowMs` is monotonic. */
  static of(
    { assetPatterns = null }: Pick<EngineSettings, 'assetPatterns'>,
    { onAsset = () => {} }: Pick<EnginePorts, 'onAsset'>,
    nowMs: () => number,
  ): AssetScout | null {
    return assetPatterns === null ? null : new AssetScout(assetPatterns, onAsset, nowMs);
  }

  private constructor(patterns: readonly string[], tell: (asset: SeenAsset) => void, nowMs: () => number) {
    this.#match = new AssetMatch(patterns);
    this.#tell = tell;
    this.#nowMs = nowMs;
    this.#toldSince = nowMs();
  }

  /** Its version says that there is no such file, or shows a page in its place. */
  mayHaveInstead(facts: RequestFacts, host: string, decision: Decision, status: number): boolean {
    if (status === 200 && !isAssetRequest(facts)) return false;
    return isSafe(facts) && this.#isOpen(facts, host, decision, false);
  }

  /** Its version is gone, or nobody of it can be reached. While there is hope, only what no version can have otherwise. */
  mayHave(facts: RequestFacts, host: string, decision: Decision, step: Step): boolean {
    if (decision.kind !== 'safe' || !isSafe(facts)) return false;
    if (step.do === 'hold') return this.#isOpen(facts, host, decision, true);
    return step.do === 'refuse' && isNobodyThere(step.failure) && this.#isOpen(facts, host, decision, false);
  }

  missed(facts: RequestFacts, host: string, decision: Decision): void {
    const name = nameOf(facts, host, decision);
    this.#misses.delete(name);
    if (this.#misses.size >= MOST_MISSES) this.#misses.delete(this.#misses.keys().next().value!);
    this.#misses.set(name, this.#nowMs() + MISS_MS);
  }

  /** Versions changed: somebody may have it now. */
  forgetMisses(): void {
    this.#misses.clear();
  }

  /** An answer that lasts is told of, if it is an asset's, and not memory's own, and was not told yet. */
  see(facts: RequestFacts, host: string, { reason, version }: Decision, lifetime: Lifetime): void {
    const { target } = facts;
    const scheme = schemeOf(facts);
    if (lifetime === 'none' || facts.method !== 'GET' || host === '') return;
    if (target.length > LONGEST_ASSET || host.length > LONGEST_HOST) return;
    if (version === null || reason === 'asset' || !this.#isFirst(scheme, version.id, host, target)) return;
    const kind = this.#match.kindOf(target);
    if (kind === null || !isKeepable(lifetime, kind)) return;
    this.#tell({ version: version.id, host: host.toLowerCase(), target, scheme });
  }

  #isOpen(facts: RequestFacts, host: string, decision: Decision, hashedOnly: boolean): boolean {
    const kind =
      isOnlyOfItsOwn(decision) || host.length > LONGEST_HOST ? null : this.#match.kindOf(facts.target);
    if (kind === null || (hashedOnly && kind !== 'hashed')) return false;
    if (this.#misses.size === 0) return true;
    const name = nameOf(facts, host, decision);
    const until = this.#misses.get(name);
    if (until === undefined) return true;
    if (until > this.#nowMs()) return false;
    this.#misses.delete(name);
    return true;
  }

  /** No string is made of them: this is on the way of every asset. */
  #isFirst(scheme: SeenAsset['scheme'], version: string, host: string, target: string): boolean {
    if (this.#toldCount >= MOST_TOLD || this.#nowMs() - this.#toldSince > TELL_AGAIN_MS) this.#forgetTold();
    const targets = this.#told[scheme].get(version)?.get(host) ?? addHost(this.#told[scheme], version, host);
    const before = targets.size;
    targets.add(target);
    if (targets.size === before) return false;
    this.#toldCount++;
    return true;
  }

  #forgetTold(): void {
    this.#told = { http: new Map(), https: new Map() };
    this.#toldCount = 0;
    this.#toldSince = this.#nowMs();
  }
}

function isSafe({ method, isWebSocket }: RequestFacts): boolean {
  return (method === 'GET' || method === 'HEAD') && !isWebSocket;
}

/** What others have is no answer: the gateway's own paths, and previews, where a file that is missing must be seen to be. */
function isOnlyOfItsOwn({ reason }: Decision): boolean {
  return reason === 'own' || reason === 'preview';
}

function nameOf(facts: RequestFacts, host: string, decision: Decision): string {
  return assetName({ version: wantedVersion(decision), scheme: schemeOf(facts), host, target: facts.target });
}

function schemeOf({ isSecure }: RequestFacts): SeenAsset['scheme'] {
  return isSecure ? 'https' : 'http';
}

function addHost(told: Told, version: string, host: string): Set<string> {
  const targets = new Set<string>();
  const hosts = told.get(version);
  if (hosts === undefined) told.set(version, new Map([[host, targets]]));
  else hosts.set(host, targets);
  return targets;
}
