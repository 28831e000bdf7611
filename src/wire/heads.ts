// Heads as they go on: to the upstream and to the client. Lines that need no change are passed as they came, in runs;
// what speaks of the other connection is dropped (RFC 9110 §7.6.1), what clients may not say as well, and then comes what
// is ours, so that nothing a peer nominated or spelt differently can remove or double it.

import { isOwnSetCookie } from '../core/answer.ts';
import type { CookiePolicy } from '../core/policy.ts';
import { passedCookies } from '../core/preview.ts';
import { type AnswerEdits, serverTiming } from '../core/steering.ts';
import {
  FIELD,
  isCaching,
  isConditional,
  isForwarded,
  isHopByHop,
  isKept,
  isOwn,
  isTwin,
} from '../engine/field-names.ts';
import type { FieldBlock } from './field-block.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

const COLON = 58;
const TAB = 9;

/** What the gateway says to the application of the client and itself. */
export interface RequestExtras {
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  /** What it says with other X-Forwarded names goes on. */
  readonly isOfTrustedPeer: boolean;
  readonly hops: number;
}

/** The lines behind the request line, as they go up: what does not depend on where the request goes is made once. */
export class RequestLines {
  readonly #fields: string;
  /** Without those that make the answer depend on what the client has. */
  readonly #unconditional: string;
  readonly #hops: string;

  constructor(head: RequestHead, extras: RequestExtras, cookie: CookiePolicy) {
    let ours = '';
    if (head.isChunked) ours += 'Transfer-Encoding: chunked\r\n';
    else if (head.contentLength >= 0) ours += `Content-Length: ${head.contentLength}\r\n`;
    if (head.isWebSocket) ours += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    ours += `x-forwarded-for: ${extras.forwardedFor}\r\nx-forwarded-proto: ${extras.forwardedProto}\r\n`;
    if (extras.forwardedHost !== '') ours += `x-forwarded-host: ${extras.forwardedHost}\r\n`;
    // Who names none at all, in HTTP/1.0, gets the upstream's: see upstreamRequestLine.
    const first = head.hasHostField || head.host === '' ? '' : `Host: ${head.host}\r\n`;
    const { isOfTrustedPeer } = extras;
    this.#fields = first + requestFields(head, cookie, { isOfTrustedPeer, dropConditionals: false }) + ours;
    this.#unconditional = head.isConditional
      ? first + requestFields(head, cookie, { isOfTrustedPeer, dropConditionals: true }) + ours
      : this.#fields;
    this.#hops = `x-lockstep-hops: ${extras.hops}\r\n\r\n`;
  }

  /** To the inner upstream; `own`: names and values by turns. */
  inside(own: readonly string[]): string {
    let lines = this.#fields;
    for (let i = 0; i < own.length; i += 2) lines += `${own[i]}: ${own[i + 1]}\r\n`;
    return lines + this.#hops;
  }

  all(version: string, session: string, dropConditionals: boolean): string {
    const fields = dropConditionals ? this.#unconditional : this.#fields;
    if (session === '') return `${fields}x-lockstep-version: ${version}\r\n${this.#hops}`;
    return `${fields}x-lockstep-version: ${version}\r\nx-lockstep-session: ${session}\r\n${this.#hops}`;
  }
}

/** `host`: for clients of HTTP/1.0 that sent none, else ''. */
export function upstreamRequestLine(method: string, target: string, host: string): string {
  return host === ''
    ? `${method} ${target} HTTP/1.1\r\n`
    : `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
}

interface Passing {
  readonly isOfTrustedPeer: boolean;
  readonly dropConditionals: boolean;
}

/** What passes of the client's own. */
function requestFields(head: RequestHead, cookie: CookiePolicy, passing: Passing): string {
  const fields = head.fields;
  const run = new Run(fields);
  for (let i = 0; i < fields.count; i++) {
    if (isDroppedFromRequest(head, i, passing)) run.replace(i, '');
    else if (fields.ids[i] === FIELD.COOKIE && passedCookies(fields.value(i), cookie) !== fields.value(i)) {
      const rest = passedCookies(fields.value(i), cookie);
      run.replace(i, rest === '' ? '' : `${fields.name(i)}: ${rest}\r\n`);
    } else if (run.isOddlySpaced(i)) run.replace(i, `${fields.line(i)}\r\n`);
  }
  return run.end();
}

function isDroppedFromRequest(
  head: RequestHead,
  i: number,
  { isOfTrustedPeer, dropConditionals }: Passing,
): boolean {
  const fields = head.fields;
  const id = fields.ids[i]!;
  if (id === FIELD.OTHER) {
    if (isTwin(fields.text, fields.nameStart[i]!, fields.nameEnd[i]!)) return true;
  } else if (isHopByHop(id) || isForwarded(id) || isOwn(id)) return true;
  else if (id === FIELD.CONTENT_LENGTH || id === FIELD.TRANSFER_ENCODING) return true;
  else if (id === FIELD.X_FORWARDED) return !isOfTrustedPeer;
  else if (dropConditionals && isConditional(id)) return true;
  else if (id === FIELD.EXPECT && !head.expectsContinue) return true;
  return head.connection.nominated !== null && !isKept(id) && head.connection.nominates(fields, i);
}

/** How the client learns where the answer ends. */
export type ClientFraming = 'none' | 'length' | 'chunked' | 'close';

export interface AnswerExtras {
  readonly version: string;
  readonly edits: AnswerEdits;
  readonly framing: ClientFraming;
  readonly closes: boolean;
  /** Of the answer, where its maker says none. */
  readonly date: string;
}

/** The status line and the fields of an answer as they go to clients. */
export class AnswerLines {
  readonly #lines: string;
  /** Without those that say who may keep the answer. */
  readonly #unkept: string;
  readonly #length: string;
  /** Its maker says when it was made. */
  readonly hasDate: boolean;

  constructor(head: ResponseHead, cookieName: string) {
    const status = `HTTP/1.1 ${head.status} ${head.reasonPhrase}\r\n`;
    this.#lines = status + answerFields(head, cookieName, false);
    this.#unkept = head.isCaching ? status + answerFields(head, cookieName, true) : this.#lines;
    this.hasDate = head.hasDate;
    this.#length =
      head.contentLength >= 0 && head.status !== 204 ? `Content-Length: ${head.contentLength}\r\n` : '';
  }

  all(extras: AnswerExtras): string {
    return this.butCookies(extras) + cookieLines(extras.edits);
  }

  /** Up to the cookies that the gateway sets, which come last: of many new sessions nothing else differs. */
  butCookies({ version, edits, framing, closes, date }: AnswerExtras): string {
    let out = edits.cacheControl === null ? this.#lines : this.#unkept;
    out += framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : this.#length;
    // RFC 9110 §6.6.1: whoever passes an answer on says when it came, where its maker did not.
    if (!this.hasDate) out += `Date: ${date}\r\n`;
    if (closes) out += 'Connection: close\r\n';
    if (version !== '') out += `x-lockstep-version: ${version}\r\n`;
    if (edits.isDocument) out += `server-timing: ${serverTiming(version, edits)}\r\n`;
    if (edits.isPosted) out += 'server-timing: lockstep-posted\r\n';
    if (edits.preview !== null) out += `x-lockstep-preview: ${edits.preview}\r\n`;
    if (edits.update !== null) out += `x-lockstep-update: ${edits.update}\r\n`;
    if (edits.cacheControl !== null) out += `Cache-Control: ${edits.cacheControl}\r\n`;
    return out;
  }
}

/** The cookies that the gateway sets, and the end of the head. */
export function cookieLines({ setCookies }: AnswerEdits): string {
  let out = '';
  for (const cookie of setCookies) out += `Set-Cookie: ${cookie}\r\n`;
  return `${out}\r\n`;
}

function answerFields(head: ResponseHead, cookieName: string, dropsCaching: boolean): string {
  const fields = head.fields;
  const run = new Run(fields);
  for (let i = 0; i < fields.count; i++) {
    if (isDroppedFromAnswer(head, i, cookieName, dropsCaching)) run.replace(i, '');
    else if (fields.text.charCodeAt(fields.nameEnd[i]!) !== COLON) run.replace(i, `${fields.line(i)}\r\n`);
  }
  return run.end();
}

function isDroppedFromAnswer(
  head: ResponseHead,
  i: number,
  cookieName: string,
  dropsCaching: boolean,
): boolean {
  const fields = head.fields;
  const id = fields.ids[i]!;
  if (id !== FIELD.OTHER) {
    if (isHopByHop(id) || isOwn(id)) return true;
    if (id === FIELD.CONTENT_LENGTH || id === FIELD.TRANSFER_ENCODING) return true;
    if (dropsCaching && isCaching(id)) return true;
    if (id === FIELD.SET_COOKIE && isOwnSetCookie(fields.value(i), cookieName)) return true;
  }
  return head.connection.nominated !== null && !isKept(id) && head.connection.nominates(fields, i);
}

/** An interim answer (RFC 9110 §15.2) as it goes on: its end-to-end fields, nothing of ours. */
export function clientInterimHead(head: ResponseHead): string {
  return `HTTP/1.1 ${head.status} ${head.reasonPhrase}\r\n${interimFields(head, null)}\r\n`;
}

/** The answer to a WebSocket handshake (RFC 9110 §7.8): the hop-by-hop pair is written anew. */
export function clientSwitchingHead(head: ResponseHead, version: string, cookieName: string): string {
  const fields = interimFields(head, cookieName);
  return `HTTP/1.1 101 ${head.reasonPhrase}\r\n${fields}Connection: Upgrade\r\nUpgrade: websocket\r\nx-lockstep-version: ${version}\r\n\r\n`;
}

/** With a cookie name, the application's other cookies pass. */
function interimFields(head: ResponseHead, cookieName: string | null): string {
  const fields = head.fields;
  let out = '';
  for (let i = 0; i < fields.count; i++) {
    const id = fields.ids[i]!;
    if (isHopByHop(id) || isOwn(id) || id === FIELD.CONTENT_LENGTH || id === FIELD.TRANSFER_ENCODING)
      continue;
    if (id === FIELD.SET_COOKIE && (cookieName === null || isOwnSetCookie(fields.value(i), cookieName)))
      continue;
    if (!isKept(id) && head.connection.nominates(fields, i)) continue;
    out += `${fields.line(i)}\r\n`;
  }
  return out;
}

/** Copies lines that stay in runs: most heads lose one or two lines, so most of the text is copied by two or three slices. */
class Run {
  readonly #fields: FieldBlock;
  #out = '';
  #start: number;

  constructor(fields: FieldBlock) {
    this.#fields = fields;
    this.#start = fields.count > 0 ? fields.nameStart[0]! : 0;
  }

  /** White space around the value beyond one space before it: legal, but some read a tab before Host's value as its own. */
  isOddlySpaced(i: number): boolean {
    const { nameEnd, valueStart, valueEnd, text } = this.#fields;
    const before = valueStart[i]! - nameEnd[i]! - 1;
    return (
      valueEnd[i]! + 2 !== this.#lineEnd(i) ||
      before > 1 ||
      (before === 1 && text.charCodeAt(nameEnd[i]! + 1) === TAB)
    );
  }

  /** `line` (whole, or '') stands in place of line i. */
  replace(i: number, line: string): void {
    const fields = this.#fields;
    if (fields.nameStart[i]! > this.#start) this.#out += fields.text.slice(this.#start, fields.nameStart[i]);
    this.#out += line;
    this.#start = this.#lineEnd(i);
  }

  end(): string {
    const { text, count } = this.#fields;
    if (count === 0) return '';
    const end = text.length - 2;
    return end > this.#start ? this.#out + text.slice(this.#start, end) : this.#out;
  }

  #lineEnd(i: number): number {
    const { text, count, nameStart } = this.#fields;
    return i + 1 < count ? nameStart[i + 1]! : text.length - 2;
  }
}
