// The fields of a request, read: what they say, and the lines that go up for them. Browsers send the same ones on a
// connection again and again, to the letter, and only the request line differs: those are kept by their text and
// recognised; so is the line that came with them last. Kept are only fields that say the same whatever the line: HTTP/1.1 without a body, an upgrade or an
// expectation, to an origin-form target. They are good for one sender (address, scheme, trusted proxies), since
// X-Forwarded-* is among the lines.

import { innerFields, isInner } from '../core/own.ts';
import { Recollection } from '../core/recollection.ts';
import type { Decision } from '../core/route.ts';
import { hasTabMark, readTabMark } from '../core/tab-mark.ts';
import type { TableUpstream } from '../core/table.ts';
import type { TrustedProxies } from '../engine/client-address.ts';
import type { WireContext } from './context.ts';
import { RequestLines, upstreamRequestLine } from './heads.ts';
import { FLAT_FROM, inOnePiece } from './in-one-piece.ts';
import { type ReadRequest, readRequest, type Sender } from './request-facts.ts';
import type { RequestHead } from './request-head.ts';

const CR = 13;
const LF = 10;

export class KnownHead {
  readonly recollection = new Recollection();
  /** What was read, with the line that came last. */
  request: ReadRequest;
  /** What was read with the fields. What a mark in its target said was said by that target alone. */
  readonly #read: ReadRequest;
  readonly #sender: Sender;
  readonly #lines: RequestLines;
  /** The line of `request`, '' when it was read with its fields. */
  #line = '';
  #tail = '';
  #tailVersion = '';
  #tailSession = '';
  /** All that went up last, for `request` and with that tail; '' when either is another one now. */
  #whole = '';
  #wholeUses = 0;

  constructor(request: ReadRequest, sender: Sender, lines: RequestLines) {
    const { facts } = request;
    this.#read = request;
    this.request = hasTabMark(facts.target) ? { ...request, facts: readTabMark(facts) } : request;
    this.#sender = sender;
    this.#lines = lines;
  }

  isFrom(peer: string, isTls: boolean, trusted: TrustedProxies): boolean {
    return this.#sender.peer === peer && this.#sender.isTls === isTls && this.#sender.trusted === trusted;
  }

  /** Whether the first `length` octets are the line that came last: then nothing of it need be read again. */
  isLine(buffer: Buffer, length: number): boolean {
    const line = this.#line;
    if (line.length !== length) return false;
    for (let at = 0; at < length; at++) if (line.charCodeAt(at) !== buffer[at]) return false;
    return true;
  }

  /** The fields came with another line. */
  takeLine(line: string, method: string, target: string): void {
    const known = this.#read;
    const { facts } = known;
    this.#line = line;
    this.#whole = '';
    const asked = {
      method,
      target,
      cookie: facts.cookie,
      tab: facts.tab,
      secFetchDest: facts.secFetchDest,
      secFetchMode: facts.secFetchMode,
      secFetchSite: facts.secFetchSite,
      secPurpose: facts.secPurpose,
      accept: facts.accept,
      userAgent: facts.userAgent,
      acceptLanguage: facts.acceptLanguage,
      clientIp: facts.clientIp,
      isSecure: facts.isSecure,
      isWebSocket: facts.isWebSocket,
      named: facts.named,
    };
    this.request = {
      facts: hasTabMark(target) ? readTabMark(asked) : asked,
      host: known.host,
      minor: known.minor,
      hasBody: known.hasBody,
      isChunked: known.isChunked,
      keepsAlive: known.keepsAlive,
      expectsContinue: known.expectsContinue,
      hops: known.hops,
    };
  }

  /** What goes up for `request`, which may not be the one that came last any more. `more`: lines for the inner upstream. */
  headFor(request: ReadRequest, decision: Decision, upstream: TableUpstream, more = ''): string {
    const { facts, host } = request;
    const isToInner = isInner(decision.version!);
    const tail = isToInner ? this.#lines.inside(innerFields(decision, facts)) : this.#tailFor(decision);
    // Where a client of HTTP/1.0 names no host, the head depends on the upstream.
    const isPlain = host !== '' && !isToInner && !decision.dropConditionals;
    const mayRepeat = isPlain && request === this.request;
    if (mayRepeat && this.#whole !== '') {
      if (++this.#wholeUses === FLAT_FROM) this.#whole = inOnePiece(this.#whole);
      return this.#whole;
    }
    const line = upstreamRequestLine(facts.method, facts.target, host === '' ? upstream.address : '');
    const whole = line + more + tail;
    if (mayRepeat) {
      this.#whole = whole;
      this.#wholeUses = 1;
    }
    return whole;
  }

  /** All that follows the request line. */
  #tailFor({ version, session, dropConditionals }: Decision): string {
    const { id } = version!;
    if (dropConditionals) return this.#lines.all(id, session, true);
    if (this.#tail === '' || this.#tailVersion !== id || this.#tailSession !== session) {
      this.#tail = this.#lines.all(id, session, false);
      this.#whole = '';
      this.#tailVersion = id;
      this.#tailSession = session;
    }
    return this.#tail;
  }
}

/** Whose head it is. */
export interface Client {
  readonly peer: string;
  readonly isTls: boolean;
  readonly context: WireContext;
}

/**
 * The fields, where `length` octets of `buffer` are one whole head and its fields came before; their `request` is of its line.
 * Null for all else, which is read in the ordinary way.
 */
export function recogniseHead(buffer: Buffer, length: number, client: Client): KnownHead | null {
  const { requestHead, knownHeads, options, trusted } = client.context;
  if (length > options.limits.headBytes || buffer[length - 1] !== LF) return null;
  let lineEnd = 0;
  while (lineEnd < length && buffer[lineEnd] !== CR) lineEnd++;
  if (lineEnd + 1 >= length || buffer[lineEnd + 1] !== LF) return null;
  // Known fields end with the one empty line that they hold: there is no second head behind them.
  const known = knownHeads.find(buffer, lineEnd + 2, length);
  if (known === undefined || !known.isFrom(client.peer, client.isTls, trusted)) return null;
  if (known.isLine(buffer, lineEnd)) return known;
  const line = buffer.toString('latin1', 0, lineEnd);
  const refused = requestHead.readLine(line, lineEnd, options.limits.uri);
  if (refused !== null || !requestHead.hasPlainLine) return null;
  known.takeLine(line, requestHead.method, requestHead.target);
  return known;
}

/** Reads what `head` holds, whose whole text is `text`, and keeps it where it may come again. */
export function readHead(head: RequestHead, text: string, { peer, isTls, context }: Client): KnownHead {
  const named = context.ports.steering.namedFields;
  const sender = { peer, isTls, trusted: context.trusted, named };
  const { request, forwarded } = readRequest(head, sender);
  const extras = { ...forwarded, hops: request.hops + 1 };
  const known = new KnownHead(request, sender, new RequestLines(head, extras, context.options.cookie));
  if (head.isPlain && head.hasPlainLine && head.hasHostField)
    context.knownHeads.keep(Buffer.from(text.slice(text.indexOf('\r\n') + 2), 'latin1'), known, text.length);
  return known;
}
