// The weighted choice of a version for a new session (DESIGN, "The weighted choice").
// A hash of client network, User-Agent, Accept-Language and a 10 s slot, over the current weights, so that the parallel
// first requests of one browser agree. Nothing outlives its slot or its table. After 32 draws of one fingerprint within a
// slot draws are independent, so that many clients behind one address, or a load tester, are shared out by weight.
// Every new session comes through here: no regular expression, no allocation, and nothing at all when one version
// gets every new session. 0.3 us a draw with a usual User-Agent.

import type { RoutingTable, TableVersion } from './table.ts';

export interface Fingerprint {
  /** Textual IPv4 or IPv6. */
  readonly clientIp: string;
  readonly userAgent: string;
  readonly acceptLanguage: string;
}

const SLOT_MS = 10_000;
const DRAWS_THAT_AGREE = 32;
/** Counters of draws, by a part of the hash. Fingerprints that share one merely become independent sooner. */
const COUNTERS = 65_536;
/** Of each header; a real User-Agent is shorter, and a longer one must not buy time. */
const HASHED_CHARS = 512;
const HASHES = 0x1_0000_0000;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class Choice {
  readonly #draws = new Uint8Array(COUNTERS);
  readonly #groups = new Uint16Array(8);
  #slot = -1;
  #generation = -1;

  /** Null when no version takes new sessions. `random` is in [0, 1). */
  pick(
    table: RoutingTable,
    fingerprint: Fingerprint,
    nowMs: number,
    random: () => number,
  ): TableVersion | null {
    const { shares } = table;
    if (shares.length <= 1) return shares[0]?.version ?? null;
    const slot = Math.floor(nowMs / SLOT_MS);
    if (slot !== this.#slot || table.generation !== this.#generation) {
      this.#slot = slot;
      this.#generation = table.generation;
      this.#draws.fill(0);
    }
    return versionAt(table, this.#point(fingerprint, slot, random) * 100);
  }

  /** What `pick` says as long as draws of this fingerprint agree. Counts nothing. */
  peek(table: RoutingTable, fingerprint: Fingerprint, nowMs: number): TableVersion | null {
    const { shares } = table;
    if (shares.length <= 1) return shares[0]?.version ?? null;
    const hash = this.#hash(fingerprint, Math.floor(nowMs / SLOT_MS));
    return versionAt(table, (hash / HASHES) * 100);
  }

  /** In [0, 1). */
  #point(fingerprint: Fingerprint, slot: number, random: () => number): number {
    const hash = this.#hash(fingerprint, slot);
    // The counter goes by the low bits, the point mostly by the high ones.
    const counter = hash & (COUNTERS - 1);
    const draws = this.#draws[counter]!;
    if (draws >= DRAWS_THAT_AGREE) return random();
    this.#draws[counter] = draws + 1;
    return hash / HASHES;
  }

  #hash(fingerprint: Fingerprint, slot: number): number {
    let hash = this.#hashNetwork(fingerprint.clientIp, FNV_OFFSET);
    hash = hashText(fingerprint.userAgent, hash);
    hash = hashText(fingerprint.acceptLanguage, hash);
    return finish(hashNumber(slot, hash));
  }

  /** All of an IPv4 address, the first 64 bits of an IPv6 one; what is neither counts as it is written. */
  #hashNetwork(ip: string, hash: number): number {
    const ipv4 = parseIpv4(ip, 0);
    if (ipv4 >= 0) return hashNumber(ipv4, hash);
    const groups = this.#groups;
    if (!parseIpv6(ip, groups)) return hashText(ip, hash);
    const isMapped =
      groups[5] === 0xffff && (groups[0]! | groups[1]! | groups[2]! | groups[3]! | groups[4]!) === 0;
    if (isMapped) return hashNumber(groups[6]! * 0x1_0000 + groups[7]!, hash);
    return hashNumber(
      groups[2]! * 0x1_0000 + groups[3]!,
      hashNumber(groups[0]! * 0x1_0000 + groups[1]!, hash),
    );
  }
}

/** `point` in [0, 100). */
function versionAt({ shares }: RoutingTable, point: number): TableVersion {
  for (const share of shares) {
    if (point < share.upTo) return share.version;
  }
  return shares[shares.length - 1]!.version;
}

/** Dotted decimal from `start` to the end, as a 32-bit number; -1 for anything else. */
function parseIpv4(text: string, start: number): number {
  let address = 0;
  let parts = 0;
  let part = -1;
  for (let at = start; at <= text.length; at++) {
    const code = at === text.length ? DOT : text.charCodeAt(at);
    if (code === DOT) {
      if (part < 0 || parts === 4) return -1;
      address = address * 256 + part;
      parts++;
      part = -1;
    } else if (code >= 0x30 && code <= 0x39) {
      part = (part < 0 ? 0 : part * 10) + code - 0x30;
      if (part > 255) return -1;
    } else return -1;
  }
  return parts === 4 ? address : -1;
}

/** Fills the eight groups; false for what is no IPv6 address. A zone (`%eth0`) is left out. */
function parseIpv6(text: string, groups: Uint16Array): boolean {
  let count = 0;
  let gapAt = -1;
  let at = 0;
  const zone = text.indexOf('%');
  const end = zone < 0 ? text.length : zone;
  if (text.startsWith('::')) {
    gapAt = 0;
    at = 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const start = at;
    let group = 0;
    let code = 0;
    for (; at < end; at++) {
      code = text.charCodeAt(at);
      const digit = hexDigit(code);
      if (digit < 0) break;
      group = group * 16 + digit;
      if (at - start > 3) return false;
    }
    if (at < end && code === DOT) {
      const ipv4 = zone < 0 ? parseIpv4(text, start) : -1;
      if (ipv4 < 0 || count > 6) return false;
      groups[count++] = ipv4 / 0x1_0000;
      groups[count++] = ipv4 % 0x1_0000;
      at = end;
      break;
    }
    if (at === start || (at < end && code !== COLON)) return false;
    groups[count++] = group;
    if (at === end) break;
    at++;
    if (at === end) return false;
    if (text.charCodeAt(at) === COLON) {
      if (gapAt >= 0) return false;
      gapAt = count;
      at++;
    }
  }
  if (gapAt < 0) return count === 8;
  if (count === 8) return false;
  groups.copyWithin(8 - (count - gapAt), gapAt, count);
  groups.fill(0, gapAt, 8 - (count - gapAt));
  return true;
}

const DOT = 0x2e;
const COLON = 0x3a;

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** FNV-1a over the characters; the length ends it, so that ('ab','c') and ('a','bc') differ. */
function hashText(text: string, seed: number): number {
  const length = Math.min(text.length, HASHED_CHARS);
  let hash = seed;
  for (let at = 0; at < length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hashNumber(text.length, hash);
}

function hashNumber(value: number, seed: number): number {
  // Both halves: times do not fit into 32 bits for ever.
  return finish(Math.imul(seed ^ (value >>> 0), FNV_PRIME) ^ Math.floor(value / 0x1_0000_0000));
}

/** MurmurHash3's 32-bit finaliser: FNV alone leaves the high bits of near inputs alike, and they decide. */
function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
