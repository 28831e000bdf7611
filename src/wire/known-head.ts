// The fields of a request, read: what they say, and the lines that go up for them. Browsers send the same ones on a
// connection again and again, to the letter, and only the request line differs: those are kept by their text and
// recognised. Kept are only fields that say the same whatever the line: HTTP/1.1 without a body, an upgrade or an
// expectation, to an origin-form target. They are good for one sender (address, scheme, trusted proxies), since
// X-Forwarded-* is among the lines.

import { innerFields, isInner } from '../core/own.ts';
import { Recollection } from '../core/recollection.ts';
import type { Decision, RequestFacts } from '../core/route.ts';
import { hasTabMark, readTabMark } from '../core/tab-mark.ts';
import type { TrustedProxies } from '../engine/client-address.ts';
import type { WireContext } from './context.ts';
import { RequestLines } from './heads.ts';
import { type ReadRequest, readRequest, type Sender } from './request-facts.ts';
import type { RequestHead } from './request-head.ts';

const LF = 10;

export class KnownHead {
  readonly recollection = new Recollection();
  readonly #request: ReadRequest;
  readonly #sender: Sender;
  readonly #lines: RequestLines;
  #tail = '';
  #tailVersion = '';
  #tailSession = '';

  constructor(request: ReadRequest, sender: Sender, lines: RequestLines) {
    this.#request = request;
    this.#sender = sender;
    this.#lines = lines;
  }

  isFrom(peer: string, isTls: boolean, trusted: TrustedProxies): boolean {
    return this.#sender.peer === peer && this.#sender.isTls === isTls && this.#sender.trusted === trusted;
  }

  /** What was read, of a request with another line. */
  request(method: string, target: string): ReadRequest {
    const known = this.#request;
    const { facts } = known;
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
    return {
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

  /** All that follows the request line of what goes up. `facts`: of the request that has this head. */
  linesFor(decision: Decision, facts: RequestFacts): string {
    const { version, session, dropConditionals } = decision;
    if (isInner(version!)) return this.#lines.inside(innerFields(decision, facts));
    const { id } = version!;
    if (dropConditionals) return this.#lines.all(id, session, true);
    if (this.#tail === '' || this.#tailVersion !== id || this.#tailSession !== session) {
      this.#tail = this.#lines.all(id, session, false);
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
 * The fields, where `length` octets of `buffer` are one whole head and its fields came before; then its line is in the
 * context's `requestHead`. Null for all else, which is read in the ordinary way.
 */
export function recogniseHead(buffer: Buffer, length: number, client: Client): KnownHead | null {
  const { requestHead, knownHeads, options, trusted } = client.context;
  if (length > options.limits.headBytes || buffer[length - 1] !== LF) return null;
  const text = buffer.toString('latin1', 0, length);
  const lineEnd = text.indexOf('\r\n');
  // Known fields end with the one empty line that they hold: there is no second head behind them.
  const known = knownHeads.find(text.slice(lineEnd + 2));
  if (known === undefined || !known.isFrom(client.peer, client.isTls, trusted)) return null;
  const refused = requestHead.readLine(text, lineEnd, options.limits.uri);
  return refused === null && requestHead.hasPlainLine ? known : null;
}

/** Reads what `head` holds, whose whole text is `text`, and keeps it where it may come again. */
export function readHead(head: RequestHead, text: string, { peer, isTls, context }: Client): KnownHead {
  const named = context.ports.steering.namedFields;
  const sender = { peer, isTls, trusted: context.trusted, named };
  const { request, forwarded } = readRequest(head, sender);
  const extras = { ...forwarded, hops: request.hops + 1 };
  const known = new KnownHead(request, sender, new RequestLines(head, extras, context.options.cookie));
  if (head.isPlain && head.hasPlainLine && head.hasHostField)
    context.knownHeads.keep(text.slice(text.indexOf('\r\n') + 2), known, text.length);
  return known;
}
