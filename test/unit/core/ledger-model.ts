// The session ledger as one would write it without thinking of memory: a map of entries and a list of mints. It
// reclaims all that is idle, and only when told to.

export interface ModelEntry {
  readonly session: string;
  readonly slot: number;
  seenMs: number;
  busyMs: number | null;
  isCurrent: boolean;
  streams: number;
}

interface ModelMint {
  readonly slot: number;
  readonly atMs: number;
}

export class LedgerModel {
  readonly capacity: number;
  idleMs: number;
  countingSinceMs: number;
  entries: ModelEntry[] = [];
  mints: ModelMint[] = [];

  constructor(capacity: number, idleMs: number, startMs: number) {
    this.capacity = capacity;
    this.idleMs = idleMs;
    this.countingSinceMs = startMs;
  }

  of(session: string): ModelEntry[] {
    return this.entries.filter((entry) => entry.session === session);
  }

  touch(session: string, slot: number, firstMs: number, nowMs: number): boolean {
    const isNew = this.of(session).length === 0;
    if (this.seen(session, slot, nowMs) === null) return false;
    const second = Math.floor(firstMs / 1000);
    const mint = this.mints.findIndex((it) => it.slot === slot && Math.floor(it.atMs / 1000) === second);
    if (isNew && mint !== -1) this.mints.splice(mint, 1);
    return true;
  }

  mint(slot: number, nowMs: number): void {
    this.mints.push({ slot, atMs: nowMs });
  }

  repin(session: string, slot: number, nowMs: number): void {
    for (const entry of this.of(session)) {
      if (!entry.isCurrent || entry.slot === slot) continue;
      entry.isCurrent = false;
      if (this.isLive(entry, nowMs)) entry.seenMs = nowMs;
    }
    const entry = this.seen(session, slot, nowMs);
    if (entry !== null) entry.isCurrent = true;
  }

  busy(session: string, slot: number, nowMs: number): void {
    const entry = this.of(session).find((it) => it.slot === slot) ?? this.of(session)[0];
    if (entry !== undefined) entry.busyMs = nowMs;
  }

  streamOpened(session: string, slot: number, nowMs: number): void {
    const entry = this.seen(session, slot, nowMs);
    if (entry !== null) entry.streams++;
  }

  streamClosed(session: string, slot: number, nowMs: number): void {
    const entry = this.of(session).find((it) => it.slot === slot);
    if (entry === undefined || entry.streams === 0) return;
    entry.seenMs = nowMs;
    entry.streams--;
  }

  /** As when their thread dies. */
  closeAllStreams(session: string, nowMs: number): void {
    for (const entry of this.of(session)) {
      if (entry.streams === 0) continue;
      entry.streams = 0;
      entry.seenMs = nowMs;
    }
  }

  seen(session: string, slot: number, nowMs: number): ModelEntry | null {
    const known = this.of(session).find((entry) => entry.slot === slot);
    if (known !== undefined && this.isLive(known, nowMs)) {
      known.seenMs = nowMs;
      return known;
    }
    this.entries = this.entries.filter((entry) => entry !== known);
    if (this.entries.length >= this.capacity) {
      this.countingSinceMs = nowMs;
      return null;
    }
    const current = this.of(session).find((entry) => entry.isCurrent);
    const isCurrent = current === undefined || !this.isLive(current, nowMs);
    if (current !== undefined && isCurrent) current.isCurrent = false;
    const made = { session, slot, seenMs: nowMs, busyMs: known?.busyMs ?? null, isCurrent, streams: 0 };
    this.entries.push(made);
    return made;
  }

  isLive({ seenMs, streams }: ModelEntry, nowMs: number): boolean {
    return streams > 0 || nowMs - seenMs <= this.idleMs;
  }

  reclaim(nowMs: number): void {
    this.entries = this.entries.filter((entry) => this.isLive(entry, nowMs));
  }

  release(slot: number): void {
    this.entries = this.entries.filter((entry) => entry.slot !== slot);
    this.mints = this.mints.filter((mint) => mint.slot !== slot);
  }

  setIdle(idleMs: number, nowMs: number): void {
    if (idleMs > this.idleMs) this.countingSinceMs = nowMs;
    this.idleMs = idleMs;
  }

  confirmed(slot: number): number {
    return this.entries.filter((entry) => entry.slot === slot).length;
  }

  streams(slot: number): number {
    return this.entries.reduce((sum, entry) => sum + (entry.slot === slot ? entry.streams : 0), 0);
  }

  /** A mint counts until its whole second is out of the window. */
  liveMints(slot: number, nowMs: number): number {
    const windowMs = Math.min(60_000, this.idleMs);
    const endOfSecond = (ms: number) => Math.floor(ms / 1000) * 1000 + 999;
    return this.mints.filter((mint) => mint.slot === slot && nowMs - endOfSecond(mint.atMs) <= windowMs)
      .length;
  }
}
