// A request as node:http has read it, judged once more and gathered for routing. node:http is lenient where the wire
// engine is strict; refused here is only what the next reader could understand differently: another Host than the one
// that was routed by, a transfer coding that is not known, a target that is none.

import type { IncomingMessage } from 'node:http';
import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { NO_NAMED, type RequestFacts } from '../core/route.ts';
import { hasTabMark, readTabMark } from '../core/tab-mark.ts';
import { contentLength, transferCoding } from './body-framing.ts';
import { isPlainValue, isTargetChar, trimBlanks } from './characters.ts';
import { clientAddress, type TrustedProxies } from './client-address.ts';
import { FIELD, fieldId } from './field-names.ts';
import { isAuthority, isHttpScheme, originForm } from './host.ts';

export interface Sender {
  /** Socket's peer address. */
  readonly peer: string;
  readonly isTls: boolean;
  readonly trusted: TrustedProxies;
  /** Fields that steering asks for by name; lower case. */
  readonly named: readonly string[];
}

export interface HttpRequest {
  readonly facts: RequestFacts;
  readonly host: string;
  /** False when an HTTP/1.0 client sent none. */
  readonly hasHostField: boolean;
  readonly minor: number;
  readonly hasBody: boolean;
  readonly isChunked: boolean;
  /** -1 when absent. */
  readonly contentLength: number;
  readonly keepsAlive: boolean;
  readonly expectsContinue: boolean;
  /** Names and values by turns, as they came. */
  readonly fields: readonly string[];
  /** Field names that Connection nominates (RFC 9110 §7.6.1), lower case. */
  readonly nominated: ReadonlySet<string>;
  /** What goes up in X-Forwarded-*. */
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  /** What it says with other X-Forwarded names goes on. */
  readonly isOfTrustedPeer: boolean;
  /** Gateways of ours that this request has passed. */
  readonly hops: number;
}

/** A bodyless GET of HTTP/1.1 that asks for WebSocket and nothing else (RFC 6455 §4.1). */
export function isWebSocketHandshake({ method, httpVersionMinor, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return (
    method === 'GET' && httpVersionMinor > 0 && !hasBody && headers.upgrade?.toLowerCase() === 'websocket'
  );
}

/** The request, or why it is refused. */
export function readHttpRequest(
  message: IncomingMessage,
  isWebSocket: boolean,
  sender: Sender,
  limits: Limits,
): HttpRequest | FailureCode {
  const { method = '', url = '', rawHeaders, httpVersionMinor } = message;
  if (message.httpVersionMajor !== 1) return 'bad-version'; // node:http lets 0.9 pass
  if (url.length > limits.uri) return 'uri-too-long';
  if (rawHeaders.length / 2 > limits.headers) return 'head-too-large';
  const found = gather(rawHeaders);
  const minor = httpVersionMinor === 0 ? 0 : 1;
  const whom = authorityOf(method, url, found, minor);
  if (whom === null) return 'malformed';
  const unframed = framingFailure(found, minor);
  if (unframed !== null) return unframed;
  if (found.expectations > 0 && found.expect.toLowerCase() !== '100-continue') return 'expectation-failed';
  if (method === 'TRACE') return 'method-not-allowed';
  return assemble(method, whom, minor, isWebSocket, found, rawHeaders, sender);
}

class Gathered {
  host = '';
  hosts = 0;
  contentLength = -1;
  lengths = 0;
  codings = 0;
  coding = '';
  connection = '';
  expect = '';
  expectations = 0;
  hasBadValue = false;
  cookie = '';
  tab = '';
  secFetchDest = '';
  secFetchMode = '';
  secFetchSite = '';
  secPurpose = '';
  accept = '';
  userAgent = '';
  acceptLanguage = '';
  forwardedFor = '';
  forwardedProto = '';
  forwardedHost = '';
  hops = 0;
}

type Whom = { readonly target: string; readonly host: string };

/** RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in 1.0; a path, `*` for OPTIONS, or an absolute-form. */
function authorityOf(method: string, url: string, found: Gathered, minor: number): Whom | null {
  const { host, hosts } = found;
  if (found.hasBadValue || hosts > 1 || (hosts === 0 && minor === 1)) return null;
  if (hosts === 1 && !isAuthority(host)) return null;
  for (let i = 0; i < url.length; i++) if (!isTargetChar(url.charCodeAt(i))) return null;
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return { target: url, host };
  return isHttpScheme(url) ? originForm(url, host, method) : null;
}

/** node:http has refused both lengths and bad ones; codings it understands by their last one alone. */
function framingFailure(found: Gathered, minor: number): FailureCode | null {
  if (found.lengths > 1 || (found.lengths === 1 && found.contentLength === -1)) return 'malformed';
  if (found.codings === 0) return null;
  const coding = transferCoding(found.coding);
  if (found.codings > 1 || coding === 'invalid' || found.lengths > 0 || minor === 0) return 'malformed';
  return coding === 'unknown' ? 'unknown-coding' : null;
}

function assemble(
  method: string,
  { target, host }: Whom,
  minor: number,
  isWebSocket: boolean,
  found: Gathered,
  fields: readonly string[],
  sender: Sender,
): HttpRequest {
  const { peer, isTls, trusted } = sender;
  const { forwardedFor, forwardedProto, hops, contentLength } = found;
  const forwardedHost = found.forwardedHost === '' ? host : found.forwardedHost;
  const address = clientAddress({ peer, forwardedFor, forwardedProto, forwardedHost, isTls, trusted });
  const nominated = nominatedBy(found.connection);
  const hasBody = found.codings > 0 || contentLength > 0;
  const facts = {
    method,
    target,
    cookie: found.cookie,
    tab: found.tab,
    secFetchDest: found.secFetchDest,
    secFetchMode: found.secFetchMode,
    secFetchSite: found.secFetchSite,
    secPurpose: found.secPurpose,
    accept: found.accept,
    userAgent: found.userAgent,
    acceptLanguage: found.acceptLanguage,
    clientIp: address.clientIp,
    isSecure: address.isSecure,
    isWebSocket,
    named: sender.named.length === 0 ? NO_NAMED : namedValues(fields, sender.named),
  };
  return {
    facts: hasTabMark(target) ? readTabMark(facts) : facts,
    host,
    hasHostField: found.hosts === 1,
    minor,
    hasBody,
    isChunked: found.codings > 0,
    contentLength,
    keepsAlive: minor === 1 && !nominated.has('close'),
    expectsContinue: minor === 1 && hasBody && found.expectations > 0,
    fields,
    nominated,
    forwardedFor: address.forwardedFor,
    forwardedProto: address.forwardedProto,
    forwardedHost: address.forwardedHost === '' ? host : address.forwardedHost,
    isOfTrustedPeer: address.isOfTrustedPeer,
    hops,
  };
}

/** The connection options, lower case, `close` and `keep-alive` among them. */
export function nominatedBy(connection: string): ReadonlySet<string> {
  const options = new Set<string>();
  for (const part of connection.split(',')) options.add(trimBlanks(part).toLowerCase());
  return options;
}

function gather(fields: readonly string[]): Gathered {
  const found = new Gathered();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    if (!isPlainValue(value)) found.hasBadValue = true;
    take(found, fieldId(name, 0, name.length), value);
  }
  return found;
}

function take(found: Gathered, id: number, value: string): void {
  switch (id) {
    case FIELD.HOST:
      found.hosts++;
      found.host = value;
      return;
    case FIELD.CONTENT_LENGTH:
      found.lengths++;
      found.contentLength = contentLength(value, 0, value.length);
      return;
    case FIELD.TRANSFER_ENCODING:
      found.codings++;
      found.coding = value;
      return;
    case FIELD.CONNECTION:
      found.connection += `,${value}`;
      return;
    case FIELD.EXPECT:
      found.expect += found.expectations++ === 0 ? value : `, ${value}`;
      return;
    case FIELD.COOKIE:
      found.cookie += found.cookie === '' ? value : `; ${value}`;
      return;
    case FIELD.X_FORWARDED_FOR:
      found.forwardedFor += found.forwardedFor === '' ? value : `, ${value}`;
      return;
    case FIELD.X_FORWARDED_PROTO:
      found.forwardedProto = value;
      return;
    case FIELD.X_FORWARDED_HOST:
      found.forwardedHost = value;
      return;
    case FIELD.X_LOCKSTEP_HOPS:
      found.hops = Math.max(found.hops, Number.parseInt(value, 10) || 0);
      return;
    default:
      takeFact(found, id, value);
  }
}

function takeFact(found: Gathered, id: number, value: string): void {
  switch (id) {
    case FIELD.X_LOCKSTEP_VERSION:
      found.tab = value;
      return;
    case FIELD.SEC_FETCH_DEST:
      found.secFetchDest = value;
      return;
    case FIELD.SEC_FETCH_MODE:
      found.secFetchMode = value;
      return;
    case FIELD.SEC_FETCH_SITE:
      found.secFetchSite = value;
      return;
    case FIELD.SEC_PURPOSE:
      found.secPurpose = value;
      return;
    case FIELD.ACCEPT:
      found.accept = value;
      return;
    case FIELD.USER_AGENT:
      found.userAgent = value;
      return;
    case FIELD.ACCEPT_LANGUAGE:
      found.acceptLanguage = value;
      return;
  }
}

/** Of several fields of a name the last one counts, as of x-lockstep-version. */
function namedValues(fields: readonly string[], names: readonly string[]): readonly string[] {
  const values = names.map(() => '');
  for (let i = 0; i < fields.length; i += 2) {
    const at = names.indexOf(fields[i]!.toLowerCase());
    if (at !== -1) values[at] = fields[i + 1]!;
  }
  return values;
}
