// Steering is what both engines do with a request apart from moving its bytes: find the version, say what the answer
// must tell the client, and account for the session. It owns no sockets and no clock.
// The life of a request: decide → choose (null: decideUnavailable, perhaps a wait, and again) → answer; streams are
// opened and closed on top. Rules: the ledger learns of a session only when its pin has come back, so that clients
// without cookies fill nothing; and a re-pin counts only when its pin is really sent.

import { isDocumentAnswer, isPage, isPinYoung, PrivateControl, planPin } from './answer.ts';
import { askedOfMemory } from './asset-ask.ts';
import { chooseUpstream } from './balance.ts';
import { Choice } from './choice.ts';
import { decideQueued, decideUnavailable } from './dead-pin.ts';
import { isFollowed } from './decision.ts';
import { type Explanation, explain } from './explain.ts';
import { type NamedFields, namedFieldsOf } from './named-fields.ts';
import { decideOwn, isInner, isOwnTarget } from './own.ts';
import { PageLookup } from './page-lookup.ts';
import { NO_PIN, type PinReading, readPins, signPin } from './pin.ts';
import { PinCookie } from './pin-cookie.ts';
import { type Preview, readPreview } from './preview.ts';
import { decidePreview, previewEdits } from './preview-routing.ts';
import type { Recollection } from './recollection.ts';
import { pageOf } from './repin.ts';
import {
  type Decision,
  decide,
  isLasting,
  type PinAction,
  type RequestFacts,
  type RouteSources,
  requestKind,
  stillStands,
} from './route.ts';
import { sourcesOf } from './route-sources.ts';
import type {
  AnswerEdits,
  AnswerFacts,
  PastDecision,
  Steering,
  SteeringOptions,
  SteeringPolicy,
} from './steering-contract.ts';
import type { RoutingTable, TableUpstream, TableVersion } from './table.ts';

export type {
  AnswerEdits,
  AnswerFacts,
  PastDecision,
  Steering,
  SteeringOptions,
  SteeringPolicy,
} from './steering-contract.ts';
export { serverTiming } from './steering-contract.ts';

const NO_COOKIES: readonly string[] = Object.freeze([]);
/** By far the most answers; as one object each, so that a writer recognises them. */
const NO_EDITS: AnswerEdits = Object.freeze({
  setCookies: NO_COOKIES,
  cacheControl: null,
  update: null,
  preview: null,
  isDocument: false,
  isPosted: false,
});
const NO_EDITS_BUT_TIMING: AnswerEdits = Object.freeze({ ...NO_EDITS, isDocument: true });
const NO_EDITS_BUT_TIMINGS: AnswerEdits = Object.freeze({ ...NO_EDITS_BUT_TIMING, isPosted: true });
const NONE_TRIED: readonly TableUpstream[] = Object.freeze([]);

export class GatewaySteering implements Steering {
  readonly #choice = new Choice();
  #options: SteeringOptions;
  #pinCookie: PinCookie;
  #sources: RouteSources;
  #named: NamedFields;
  readonly #pages: PageLookup;
  #limit: number;
  readonly #privateControl = new PrivateControl();

  constructor(options: SteeringOptions) {
    this.#options = options;
    this.#pages = new PageLookup(options.ledger);
    this.#limit = options.upstreamConnections ?? Number.POSITIVE_INFINITY;
    this.#pinCookie = new PinCookie(options.cookie);
    this.#sources = sourcesOf(options, this.#choice, this.#pages);
    this.#named = namedFieldsOf(options);
  }

  /** Holds for every decision and answer from now on; a pin signed with a key that is gone verifies no more. */
  reconfigure(policy: SteeringPolicy): void {
    this.#pinCookie = new PinCookie(policy.cookie);
    this.#options = { ...this.#options, ...policy };
    this.#limit = policy.upstreamConnections ?? Number.POSITIVE_INFINITY;
    this.#sources = sourcesOf(this.#options, this.#choice, this.#pages);
    this.#named = namedFieldsOf(policy);
  }

  get namedFields(): readonly string[] {
    return this.#named.names;
  }

  decide(
    facts: RequestFacts,
    table: RoutingTable,
    nowMs: number,
    known: Recollection | null = null,
  ): Decision {
    if (isOwnTarget(facts.target)) return this.#decideOwn(facts, table, nowMs);
    const decision = this.#recall(facts, table, nowMs, known) ?? this.#decide(facts, table, nowMs, known);
    if (staysPinned(decision)) this.#touch(decision, table, nowMs);
    if (decision.kind === 'unsafe' && decision.action === 'forward' && isConfirmed(decision)) {
      this.#busy(decision, decision.version!, table, nowMs);
    }
    return decision;
  }

  #decideOwn(facts: RequestFacts, table: RoutingTable, nowMs: number): Decision {
    return decideOwn(
      this.#ownRouting(facts, table, this.#read(facts, nowMs), nowMs),
      this.#options.inner ?? null,
    );
  }

  #ownRouting(facts: RequestFacts, table: RoutingTable, reading: PinReading, nowMs: number) {
    const pin = reading.pin !== null && table.versions.has(reading.pin.version) ? reading.pin : null;
    const hasStrayPins = reading.found > 1 || reading.verified < reading.found;
    return { facts, table, nowMs, sources: this.#sources, kind: requestKind(facts), pin, hasStrayPins };
  }

  #recall(
    facts: RequestFacts,
    table: RoutingTable,
    nowMs: number,
    known: Recollection | null,
  ): Decision | null {
    if (known === null || facts.method !== 'GET') return null;
    const decision = known.decision(table, this.#sources);
    return decision !== null && stillStands(decision, facts, table, nowMs, this.#sources) ? decision : null;
  }

  #decide(facts: RequestFacts, table: RoutingTable, nowMs: number, known: Recollection | null): Decision {
    const { keys } = this.#options;
    let reading = known?.reading(keys, nowMs) ?? null;
    if (reading === null) {
      reading = this.#read(facts, nowMs);
      known?.keepReading(keys, reading, nowMs);
    }
    const decision = this.#decideAnew(facts, table, reading, nowMs, this.#sources);
    if (
      known !== null &&
      isLasting(decision, facts, table, this.#sources) &&
      known.reading(keys, nowMs) === reading
    )
      known.keepDecision(table, this.#sources, decision);
    return decision;
  }

  #decideAnew(
    facts: RequestFacts,
    table: RoutingTable,
    reading: PinReading,
    nowMs: number,
    sources: RouteSources,
  ): Decision {
    const preview = this.#preview(facts);
    const opened =
      preview === null ? null : decidePreview(this.#ownRouting(facts, table, reading, nowMs), preview);
    return opened ?? decide(facts, table, reading, nowMs, sources);
  }

  #preview({ cookie, named }: RequestFacts): Preview | null {
    const { previews, cookie: policy } = this.#options;
    return previews == null
      ? null
      : readPreview(previews, cookie, policy.name, named[this.#named.previewAt] ?? '');
  }

  decideUnavailable(
    decision: Decision,
    facts: RequestFacts,
    table: RoutingTable,
    waitedMs: number,
    nowMs: number,
  ): Decision {
    const next = decideUnavailable(decision, this.#routing(decision, facts, table, nowMs), waitedMs);
    return this.#kept(next, decision, table, nowMs);
  }

  decideQueued(decision: Decision, facts: RequestFacts, table: RoutingTable, nowMs: number): Decision {
    const next = decideQueued(decision, this.#routing(decision, facts, table, nowMs));
    return this.#kept(next, decision, table, nowMs);
  }

  choose(decision: Decision, tried: readonly TableUpstream[]): TableUpstream | null {
    const { gauges, random } = this.#options;
    if (decision.version === null) return null;
    const { upstreams } = decision.version;
    return chooseUpstream(upstreams, gauges, decision.upstreamTag, tried, random, this.#limit);
  }

  answer(
    decision: Decision,
    facts: RequestFacts,
    upstream: TableUpstream,
    answer: AnswerFacts,
    table: RoutingTable,
    nowMs: number,
  ): AnswerEdits {
    const { version, session } = decision;
    if (version === null || isInner(version)) return NO_EDITS;
    const { ledger } = this.#options;
    const update = updateFor(version, table);
    const isDocument = isDocumentAnswer(facts, answer);
    const isPosted = isDocument && facts.method !== 'GET';
    if (decision.reason === 'preview') {
      return { ...NO_EDITS, ...previewEdits(this.#preview(facts), version), isDocument, isPosted };
    }
    if (isRedirect(answer.status) && isConfirmed(decision)) this.#busy(decision, version, table, nowMs);
    if (isDocument && session !== '' && this.#named.remembersPages && isPage(answer))
      this.#pages.keepPage(session, facts.target, version);
    const plan = this.#plan(decision, facts, answer, nowMs);
    if (plan === 'none' && decision.pinAction === 'repin') this.#touchPage(decision, table, nowMs);
    if (plan === 'none') {
      if (update !== null) return { ...NO_EDITS, update, isDocument, isPosted };
      if (isPosted) return NO_EDITS_BUT_TIMINGS;
      return isDocument ? NO_EDITS_BUT_TIMING : NO_EDITS;
    }
    if (plan === 'mint') ledger.mint(version.slot, nowMs);
    if (plan === 'repin') ledger.repin(session, version.slot, nowMs);
    return {
      setCookies: this.#setCookies(decision, version, upstream, facts.isSecure, nowMs),
      cacheControl: this.#privateControl.of(answer.cacheControl),
      update,
      preview: null,
      isDocument,
      isPosted,
    };
  }

  askMemory(decision: Decision): Decision | null {
    const inner = this.#options.inner ?? null;
    return inner === null ? null : askedOfMemory(decision, inner);
  }

  /** What decide() would say now, and why. Touches nothing: no ledger, no counter of the weighted choice. */
  explain(facts: RequestFacts, table: RoutingTable, nowMs: number): Explanation {
    const about = this.#explained(facts, table, nowMs);
    const sources: RouteSources = {
      ...this.#sources,
      chooseVersion: (of, asking, atMs) => this.#choice.peek(of, asking, atMs),
      newSession: () => '',
    };
    const decision = isOwnTarget(facts.target)
      ? this.#decideOwn(facts, table, nowMs)
      : this.#decideAnew(facts, table, about.reading, nowMs, sources);
    const without = (now: Decision) => {
      const { kind, pin, hasStrayPins } = now;
      const routing = { facts, table, nowMs, sources, kind, pin, hasStrayPins };
      const next = decideUnavailable(now, routing, 0);
      const afterMs = next.holdMs;
      return { afterMs, decision: afterMs === 0 ? next : decideUnavailable(next, routing, afterMs) };
    };
    const upstream = decision.action === 'forward' ? this.choose(decision, NONE_TRIED) : null;
    const otherwise = decision.action === 'forward' && upstream === null ? without(decision) : null;
    const chosen = upstream?.address ?? null;
    const { pin } = decision;
    const pinned = pin === null ? undefined : table.versions.get(pin.version);
    const page = pinned === undefined ? null : pageOf(this.#routing(decision, facts, table, nowMs), pinned);
    return explain({ ...about, page, decision, chosen, otherwise });
  }

  /** Why a request that has ended was decided as it was, by what it said and the table that it met. */
  explainPast({ facts, decision, table, atMs, upstream }: PastDecision): Explanation {
    const chosen = upstream === '' ? null : upstream;
    // What the ledger knows now is later than the request.
    const sessions = { lastSeenMs: () => null };
    const page = decision.reason === 'page' ? decision.version : null;
    const about = { ...this.#explained(facts, table, atMs), sessions, page };
    return explain({ ...about, decision, chosen, otherwise: null });
  }

  streamOpened(decision: Decision, nowMs: number): void {
    if (decision.version === null || decision.reason === 'preview') return;
    const { gauges, ledger } = this.#options;
    const { slot } = decision.version;
    gauges.streamOpened(slot);
    if (isConfirmed(decision)) ledger.streamOpened(decision.session, slot, nowMs);
  }

  streamClosed(decision: Decision, nowMs: number): void {
    if (decision.version === null || decision.reason === 'preview') return;
    const { gauges, ledger } = this.#options;
    const { slot } = decision.version;
    gauges.streamClosed(slot);
    if (isConfirmed(decision)) ledger.streamClosed(decision.session, slot, nowMs);
  }

  #read(facts: RequestFacts, nowMs: number): PinReading {
    const { keys, cookie } = this.#options;
    // Most first requests carry other cookies or none: the name is looked for before anything is taken apart.
    return facts.cookie.includes(cookie.name) ? readPins(keys, facts.cookie, cookie.name, nowMs) : NO_PIN;
  }

  #explained(facts: RequestFacts, table: RoutingTable, nowMs: number) {
    const { cookie, gauges, ledger } = this.#options;
    const { policy } = this.#sources;
    const reading = this.#read(facts, nowMs);
    return { facts, table, nowMs, reading, cookieName: cookie.name, policy, sessions: ledger, gauges };
  }

  #routing({ kind, pin, hasStrayPins }: Decision, facts: RequestFacts, table: RoutingTable, nowMs: number) {
    return { facts, table, nowMs, sources: this.#sources, kind, pin, hasStrayPins };
  }

  #kept(next: Decision, before: Decision, table: RoutingTable, nowMs: number): Decision {
    // A re-pin that was taken back, a held dead pin that came back to life.
    if (staysPinned(next) && !staysPinned(before)) this.#touch(next, table, nowMs);
    return next;
  }

  /** It sent what may change something, or is led elsewhere: a round trip has begun, or goes on. */
  #busy({ session, pinAction }: Decision, version: TableVersion, table: RoutingTable, nowMs: number): void {
    this.#options.ledger.busy(session, version.slot, nowMs);
    // One of a tab that is of another version than the pin goes on by that tab's own marks: others are not led after it.
    if (pinAction !== 'none') this.#pages.keepRoundTrip(session, version, table);
  }

  #touch({ session, version, pin }: Decision, table: RoutingTable, nowMs: number): void {
    if (version === null || pin === null) return;
    const { ledger } = this.#options;
    if (pin.version !== version.id && ledger.currentVersion(session) === null) {
      // A ledger that knows nothing of the session takes the first version it is told for the current one, and would
      // let no answer refresh the pin: so it hears of the pin's version before the tab's.
      const pinned = table.versions.get(pin.version);
      if (pinned !== undefined && isFollowed(pinned)) ledger.touch(session, pinned.slot, pin.first, nowMs);
    }
    ledger.touch(session, version.slot, pin.first, nowMs);
  }

  /** A re-pin got an answer that shows no page: the old one stays open, and its pin did come back. */
  #touchPage({ session, pin }: Decision, table: RoutingTable, nowMs: number): void {
    const version = pin === null ? undefined : table.versions.get(pin.version);
    if (pin === null || version === undefined || !isFollowed(version)) return;
    this.#options.ledger.touch(session, version.slot, pin.first, nowMs);
  }

  #plan(decision: Decision, facts: RequestFacts, answer: AnswerFacts, nowMs: number): PinAction {
    // Judged first: on most answers there is nothing to send.
    const { cookie, ledger } = this.#options;
    if (decision.pinAction === 'none' || isPinYoung(decision, cookie.idleMs, nowMs)) return 'none';
    const currentVersionSlot = isConfirmed(decision) ? ledger.currentVersion(decision.session) : null;
    return planPin({ decision, facts, answer, cookie, currentVersionSlot, nowMs });
  }

  #setCookies(
    decision: Decision,
    version: TableVersion,
    upstream: TableUpstream,
    isSecure: boolean,
    nowMs: number,
  ): readonly string[] {
    const { keys, affinity } = this.#options;
    const { pin, session } = decision;
    const value = signPin(keys, {
      version: version.id,
      session,
      // The absolute life belongs to the session: a re-pin does not prolong it.
      first: pin !== null && isConfirmed(decision) ? pin.first : nowMs,
      seen: nowMs,
      upstream: affinity === 'upstream' ? upstream.tag : '',
    });
    const pinned = this.#pinCookie.set(value, isSecure);
    return decision.hasStrayPins ? [...this.#pinCookie.clearStrays(isSecure), pinned] : [pinned];
  }
}

/** The session came with a pin of its own; one that was minted just now, or comes with a tab header alone, has not. */
function isConfirmed({ pin, session }: Decision): boolean {
  return pin !== null && pin.session === session;
}

/** A session that is served by the version of its page, not on the move to another one. */
function staysPinned(decision: Decision): boolean {
  if (decision.action !== 'forward' || !isConfirmed(decision)) return false;
  switch (decision.reason) {
    case 'pinned':
    case 'tab':
    case 'page':
    case 'marker':
    case 'held':
      return decision.pinAction !== 'repin';
    default:
      return false;
  }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304;
}

/** The newest table says who nudges: the ladder may have gone on since the request came. */
function updateFor(version: TableVersion, table: RoutingTable): string | null {
  const { active } = table;
  if (active === null || active.id === version.id) return null;
  return table.versions.get(version.id)?.nudge === true ? active.id : null;
}
