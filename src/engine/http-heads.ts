// Fields as they go on, to the upstream and to the client: what speaks of the other connection is dropped (RFC 9110
// §7.6.1), what clients may not say as well, and then comes what is ours, so that nothing a peer nominated or spelt
// differently can remove or double it. Lines of one name stay apart and in order; names keep their case.

import type { IncomingMessage, InformationEvent } from 'node:http';
import { isOwnSetCookie } from '../core/answer.ts';
import { innerFields, isInner } from '../core/own.ts';
import type { CookiePolicy } from '../core/policy.ts';
import { passedCookies } from '../core/preview.ts';
import type { Decision } from '../core/route.ts';
import { type AnswerEdits, type AnswerFacts, serverTiming } from '../core/steering.ts';
import type { TableUpstream } from '../core/table.ts';
import { contentLength, transferCoding } from './body-framing.ts';
import { isPlainValue } from './characters.ts';
import type { EngineSettings } from './contract.ts';
import {
  equalsIgnoringCase,
  FIELD,
  fieldId,
  isCaching,
  isConditional,
  isForwarded,
  isHopByHop,
  isKept,
  isOwn,
  isTwin,
  mayBeTrailer,
} from './field-names.ts';
import { type HttpRequest, nominatedBy } from './http-request.ts';

/** For node:http's client, which takes several values of one name as a list. */
export type OutgoingFields = Record<string, string | string[]>;

export function upstreamFields(
  request: HttpRequest,
  decision: Decision,
  upstream: TableUpstream,
  cookie: CookiePolicy,
): OutgoingFields {
  const { version, session, dropConditionals } = decision;
  const out = new FieldLists();
  // A client of HTTP/1.0 need not name one.
  if (!request.hasHostField) out.add('Host', request.host === '' ? upstream.address : request.host);
  const { fields } = request;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const id = fieldId(name, 0, name.length);
    if (isDroppedFromRequest(request, name, id, dropConditionals)) continue;
    const value = id === FIELD.COOKIE ? passedCookies(fields[i + 1]!, cookie) : fields[i + 1]!;
    if (value !== '' || id !== FIELD.COOKIE) out.add(name, value);
  }
  if (request.isChunked) out.add('Transfer-Encoding', 'chunked');
  else if (request.contentLength >= 0) out.add('Content-Length', String(request.contentLength));
  if (request.facts.isWebSocket) {
    out.add('connection', 'Upgrade');
    out.add('upgrade', 'websocket'); // http-proxy looks for it by this spelling
  }
  out.add('x-forwarded-for', request.forwardedFor);
  out.add('x-forwarded-proto', request.forwardedProto);
  if (request.forwardedHost !== '') out.add('x-forwarded-host', request.forwardedHost);
  if (version !== null && isInner(version)) out.addAll(innerFields(decision, request.facts));
  else {
    if (version !== null) out.add('x-lockstep-version', version.id);
    if (session !== '') out.add('x-lockstep-session', session);
  }
  out.add('x-lockstep-hops', String(request.hops + 1));
  return out.lists;
}

function isDroppedFromRequest(
  request: HttpRequest,
  name: string,
  id: number,
  dropConditionals: boolean,
): boolean {
  if (id === FIELD.OTHER) {
    if (isTwin(name, 0, name.length)) return true;
  } else if (isHopByHop(id) || isForwarded(id) || isOwn(id)) return true;
  else if (id === FIELD.CONTENT_LENGTH || id === FIELD.TRANSFER_ENCODING || id === FIELD.EXPECT) return true;
  else if (id === FIELD.X_FORWARDED) return !request.isOfTrustedPeer;
  else if (id === FIELD.TRAILER && !request.isChunked)
    return true; // node:http throws on it
  else if (dropConditionals && isConditional(id)) return true;
  return isNominated(request.nominated, name, id);
}

/** What pins, framing and forwarding want to know of an answer's head. */
export interface ReadAnswer {
  readonly facts: AnswerFacts;
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly hasSetCookie: boolean;
  readonly nominated: ReadonlySet<string>;
  /** What the upstream says it runs; '' for nothing. */
  readonly reported: string;
}

/** As the answer to `method`. Null when its body could be read in two ways, and for more fields than anyone needs. */
export function readHttpAnswer(
  answer: IncomingMessage,
  method: string,
  { limits, reportHeader }: Pick<EngineSettings, 'limits' | 'reportHeader'>,
): ReadAnswer | null {
  const { statusCode: status = 0, rawHeaders } = answer;
  if (rawHeaders.length / 2 > limits.headers * 2 || !hasPlainStatusLine(answer)) return null;
  const facts = { status, contentType: '', cacheControl: '', expires: '', contentDisposition: '' };
  let connection = '';
  let length = -1;
  let codings = 0;
  let hasSetCookie = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1]!;
    switch (fieldId(rawHeaders[i]!, 0, rawHeaders[i]!.length)) {
      case FIELD.CONTENT_TYPE:
        facts.contentType = value;
        break;
      case FIELD.CACHE_CONTROL:
        facts.cacheControl += facts.cacheControl === '' ? value : `, ${value}`;
        break;
      case FIELD.EXPIRES:
        facts.expires = value;
        break;
      case FIELD.CONTENT_DISPOSITION:
        facts.contentDisposition = value;
        break;
      case FIELD.SET_COOKIE:
        hasSetCookie = true;
        break;
      case FIELD.CONNECTION:
        connection += `,${value}`;
        break;
      case FIELD.CONTENT_LENGTH:
        if (length !== -1) return null;
        length = contentLength(value, 0, value.length);
        if (length === -1) return null;
        break;
      case FIELD.TRANSFER_ENCODING:
        if (++codings > 1 || transferCoding(value) !== 'chunked') return null;
        break;
    }
  }
  if (codings > 0 && (length !== -1 || answer.httpVersionMinor === 0)) return null;
  const isBodyless = method === 'HEAD' || status === 204 || status === 304 || length === 0;
  const framing = isBodyless ? 'none' : codings > 0 ? 'chunked' : length > 0 ? 'length' : 'close';
  const reported = reportHeader == null ? '' : valuesOf(rawHeaders, reportHeader);
  return { facts, framing, hasSetCookie, nominated: nominatedBy(connection), reported };
}

/** Of all fields of a name, which is lower case; '' when there is none. */
function valuesOf(rawHeaders: readonly string[], name: string): string {
  let found = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i]!;
    if (candidate.length !== name.length || !equalsIgnoringCase(candidate, 0, name)) continue;
    found += found === '' ? rawHeaders[i + 1]! : `, ${rawHeaders[i + 1]!}`;
  }
  return found;
}

export interface AnswerExtras {
  readonly version: string;
  readonly edits: AnswerEdits;
  readonly closes: boolean;
  readonly cookieName: string;
}

/** node:http takes any digits for a version or status, any octets for a phrase, and a 101 without Upgrade for an answer. */
function hasPlainStatusLine({
  httpVersionMajor,
  statusCode = 0,
  statusMessage = '',
}: IncomingMessage): boolean {
  return httpVersionMajor === 1 && statusCode >= 200 && isPlainValue(statusMessage);
}

/** Names and values by turns. Without a length among them node:http frames the body as the client can read it. */
export function clientFields(answer: IncomingMessage, read: ReadAnswer, extras: AnswerExtras): string[] {
  const { edits, version } = extras;
  const out: string[] = [];
  const { rawHeaders } = answer;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const value = rawHeaders[i + 1]!;
    const id = fieldId(name, 0, name.length);
    if (isHopByHop(id) || isOwn(id) || id === FIELD.TRANSFER_ENCODING) continue;
    if (id === FIELD.CONTENT_LENGTH && answer.statusCode === 204) continue;
    if (id === FIELD.TRAILER && read.framing !== 'chunked') continue; // node:http throws on it
    if (edits.cacheControl !== null && isCaching(id)) continue;
    if (id === FIELD.SET_COOKIE && isOwnSetCookie(value, extras.cookieName)) continue;
    if (!isNominated(read.nominated, name, id)) out.push(name, value);
  }
  if (extras.closes) out.push('Connection', 'close');
  if (version !== '') out.push('x-lockstep-version', version);
  if (edits.isDocument) out.push('server-timing', serverTiming(version, edits));
  if (edits.isPosted) out.push('server-timing', 'lockstep-posted');
  if (edits.preview !== null) out.push('x-lockstep-preview', edits.preview);
  if (edits.update !== null) out.push('x-lockstep-update', edits.update);
  if (edits.cacheControl !== null) out.push('Cache-Control', edits.cacheControl);
  for (const cookie of edits.setCookies) out.push('Set-Cookie', cookie);
  return out;
}

/** An interim answer (RFC 9110 §15.2) as it goes on: its end-to-end fields, nothing of ours, no cookies. */
export function interimHead({ statusCode, statusMessage, rawHeaders }: InformationEvent): string {
  const fields = endToEnd(rawHeaders, () => false);
  let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Of the answer to a WebSocket handshake; http-proxy writes them behind its own status line. */
export function switchingFields(
  fields: readonly string[],
  version: string,
  cookieName: string,
): OutgoingFields {
  const kept = endToEnd(fields, (cookie) => !isOwnSetCookie(cookie, cookieName));
  const out = new FieldLists();
  for (let i = 0; i < kept.length; i += 2) out.add(kept[i]!, kept[i + 1]!);
  out.add('Connection', 'Upgrade');
  out.add('Upgrade', 'websocket');
  out.add('x-lockstep-version', version);
  return out.lists;
}

function endToEnd(fields: readonly string[], keepsCookie: (value: string) => boolean): string[] {
  let connection = '';
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === 'connection') connection += `,${fields[i + 1]!}`;
  }
  const nominated = nominatedBy(connection);
  const out: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const id = fieldId(name, 0, name.length);
    if (isHopByHop(id) || isOwn(id) || id === FIELD.CONTENT_LENGTH || id === FIELD.TRANSFER_ENCODING)
      continue;
    if (id === FIELD.SET_COOKIE && !keepsCookie(fields[i + 1]!)) continue;
    if (!isNominated(nominated, name, id)) out.push(name, fields[i + 1]!);
  }
  return out;
}

/** Trailers that may go on (RFC 9110 §6.5.1), as pairs. */
export function passedTrailers(rawTrailers: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i < rawTrailers.length; i += 2) {
    const name = rawTrailers[i]!;
    if (mayBeTrailer(name)) out.push([name, rawTrailers[i + 1]!]);
  }
  return out;
}

/** What routes or frames cannot be nominated away. */
function isNominated(nominated: ReadonlySet<string>, name: string, id: number): boolean {
  return !isKept(id) && nominated.has(name.toLowerCase());
}

/** Several values of one name, however it is spelt, under its first spelling. */
class FieldLists {
  // Without a prototype: `__proto__` is a field name like any other (CVE-2026-21710).
  readonly lists: OutgoingFields = Object.create(null);
  readonly #spelling = new Map<string, string>();

  /** Names and values by turns. */
  addAll(fields: readonly string[]): void {
    for (let i = 0; i < fields.length; i += 2) this.add(fields[i]!, fields[i + 1]!);
  }

  add(name: string, value: string): void {
    const key = name.toLowerCase();
    const spelling = this.#spelling.get(key);
    if (spelling === undefined) {
      this.#spelling.set(key, name);
      this.lists[name] = value;
      return;
    }
    const before = this.lists[spelling]!;
    this.lists[spelling] = Array.isArray(before) ? [...before, value] : [before, value];
  }
}
