// The head of a request, RFC 9112 §3 and §5, read strictly from the whole of its bytes: one request line, one header
// set, one framing, no ambiguity. Pure: text in, fields of this object out. One instance serves a whole thread, since a
// head is read and used within one turn.

import type { FailureCode } from '../core/errors.ts';
import { contentLength, transferCoding } from '../engine/body-framing.ts';
import { isDigit, isTargetChar, isTokenChar } from '../engine/characters.ts';
import { FIELD, isConditional } from '../engine/field-names.ts';
import { isAuthority, isHttpScheme, originForm } from '../engine/host.ts';
import { ConnectionOptions, FieldBlock } from './field-block.ts';

const SP = 32;
const SLASH = 47;
const USUAL_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

export interface HeadLimits {
  readonly headers: number;
  readonly uri: number;
}

export class RequestHead {
  readonly fields = new FieldBlock();
  readonly connection = new ConnectionOptions();
  method = '';
  /** Origin-form (or `*`): absolute-form has been reduced to it. */
  target = '';
  /** 0 or 1: the minor version of HTTP/1. */
  minor = 1;
  /** From Host, or from an absolute-form target; '' when a 1.0 client named none. */
  host = '';
  hasHostField = false;
  /** -1 when absent. */
  contentLength = -1;
  isChunked = false;
  expectsContinue = false;
  /** `Upgrade: websocket` with `Connection: upgrade` on a bodyless GET of HTTP/1.1. */
  isWebSocket = false;
  /** Some field makes the answer depend on what the client has already. */
  isConditional = false;
  /** The fields say no more than that: no body, no upgrade, no expectation. */
  isPlain = false;

  /** Reads `text`, a whole head with its final empty line. Returns null, or why it is refused. */
  read(text: string, limits: HeadLimits): FailureCode | null {
    const lineEnd = text.indexOf('\r\n');
    return this.readLine(text, lineEnd, limits.uri) ?? this.readFields(text, lineEnd + 2, limits.headers);
  }

  /** The request line alone, which ends at `lineEnd`: method, target, minor. */
  readLine(text: string, lineEnd: number, maxUri: number): FailureCode | null {
    // What is left of the head before must not pass for this one's, nor for its own any more.
    this.fields.text = '';
    return this.#readRequestLine(text, lineEnd, maxUri);
  }

  /** All that follows the request line, from `start` to the end of the text. */
  readFields(text: string, start: number, maxFields: number): FailureCode | null {
    const bad = this.fields.read(text, start, text.length, maxFields, false);
    if (bad !== null) return bad;
    return this.#judgeFields() ?? this.#judgeMethod();
  }

  /** By its line alone there is nothing to say against it: what its fields say is the same for every such method. */
  get hasPlainLine(): boolean {
    if (this.minor !== 1 || this.target.charCodeAt(0) !== SLASH) return false;
    return this.method !== 'CONNECT' && this.method !== 'TRACE';
  }

  get hasBody(): boolean {
    return this.isChunked || this.contentLength > 0;
  }

  /** What the client may send next on this connection is a request (RFC 9112 §9.3). 1.0 clients get one answer each. */
  get keepsAlive(): boolean {
    return this.minor === 1 && !this.connection.hasClose;
  }

  #readRequestLine(text: string, lineEnd: number, maxUri: number): FailureCode | null {
    let at = 0;
    while (isTokenChar(text.charCodeAt(at))) at++;
    if (at === 0 || text.charCodeAt(at) !== SP) return 'malformed';
    this.method = methodOf(text, at);
    const start = at + 1;
    at = start;
    while (isTargetChar(text.charCodeAt(at))) at++;
    if (at - start > maxUri) return 'uri-too-long';
    if (at === start || text.charCodeAt(at) !== SP) return 'malformed';
    this.target = text.slice(start, at);
    if (!this.#isTargetForm()) return 'malformed';
    return this.#readVersion(text, at + 1, lineEnd);
  }

  /** RFC 9112 §3.2: origin-form, asterisk-form for OPTIONS, absolute-form; authority-form only for CONNECT, a 405 later. */
  #isTargetForm(): boolean {
    if (this.target.charCodeAt(0) === SLASH) return this.method !== 'CONNECT';
    if (this.target === '*') return this.method === 'OPTIONS';
    if (this.method === 'CONNECT') return isAuthority(this.target);
    return isHttpScheme(this.target);
  }

  #readVersion(text: string, start: number, lineEnd: number): FailureCode | null {
    if (lineEnd - start !== 8 || !text.startsWith('HTTP/', start)) return 'malformed';
    const major = text.charCodeAt(start + 5);
    const minor = text.charCodeAt(start + 7);
    if (!isDigit(major) || text.charCodeAt(start + 6) !== 0x2e || !isDigit(minor)) return 'malformed';
    if (major !== 0x31) return 'bad-version';
    this.minor = minor === 0x30 ? 0 : 1; // RFC 9110 §2.5: a higher minor is read as the highest one known
    return null;
  }

  #judgeFields(): FailureCode | null {
    const fields = this.fields;
    this.connection.reset();
    this.contentLength = -1;
    this.isChunked = false;
    this.expectsContinue = false;
    this.isWebSocket = false;
    let hosts = 0;
    let codings = 0;
    let upgrades = 0;
    this.isConditional = false;
    let coding: ReturnType<typeof transferCoding> = 'chunked';
    for (let i = 0; i < fields.count; i++) {
      switch (fields.ids[i]) {
        case FIELD.HOST:
          hosts++;
          this.host = fields.value(i);
          break;
        case FIELD.CONTENT_LENGTH:
          if (this.contentLength !== -1) return 'malformed'; // repeated
          this.contentLength = contentLength(fields.text, fields.valueStart[i]!, fields.valueEnd[i]!);
          if (this.contentLength === -1) return 'malformed';
          break;
        case FIELD.TRANSFER_ENCODING:
          codings++;
          coding = transferCoding(fields.value(i));
          break;
        case FIELD.CONNECTION:
          this.connection.add(fields, i);
          break;
        case FIELD.EXPECT:
          if (this.expectsContinue || !fields.valueIs(i, '100-continue')) return 'expectation-failed';
          this.expectsContinue = true;
          break;
        case FIELD.UPGRADE:
          upgrades += fields.valueIs(i, 'websocket') ? 1 : 2;
          break;
        default:
          if (isConditional(fields.ids[i]!)) this.isConditional = true;
      }
    }
    if (codings > 0) {
      if (codings > 1 || coding === 'invalid' || this.contentLength !== -1 || this.minor === 0)
        return 'malformed';
      if (coding === 'unknown') return 'unknown-coding';
      this.isChunked = true;
    }
    const hasExpectation = this.expectsContinue;
    // Without a body there is nothing to wait for (RFC 9110 §10.1.1), and 1.0 knows no interim answers.
    this.expectsContinue &&= this.minor === 1 && this.hasBody;
    this.isWebSocket =
      upgrades === 1 &&
      this.connection.hasUpgrade &&
      this.method === 'GET' &&
      this.minor === 1 &&
      !this.hasBody;
    this.isPlain = upgrades === 0 && !hasExpectation && codings === 0 && !this.hasBody;
    return this.#judgeHost(hosts);
  }

  /** RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in 1.0, and the authority of an absolute-form is the same. */
  #judgeHost(hosts: number): FailureCode | null {
    if (hosts > 1 || (hosts === 0 && this.minor === 1)) return 'malformed';
    this.hasHostField = hosts === 1;
    if (hosts === 0) this.host = '';
    else if (!isAuthority(this.host)) return 'malformed';
    const first = this.target.charCodeAt(0);
    if (first !== SLASH && this.target !== '*' && this.method !== 'CONNECT')
      return this.#reduceAbsoluteForm();
    return null;
  }

  #reduceAbsoluteForm(): FailureCode | null {
    const reduced = originForm(this.target, this.host, this.method);
    if (reduced === null) return 'malformed';
    this.target = reduced.target;
    this.host = reduced.host;
    return null;
  }

  #judgeMethod(): FailureCode | null {
    return this.method === 'CONNECT' || this.method === 'TRACE' ? 'method-not-allowed' : null;
  }
}

/** The token in [0, end). The usual ones are constants: a string of each request's own costs a look-up where it is compared. */
function methodOf(text: string, end: number): string {
  for (const method of USUAL_METHODS) {
    if (method.length === end && text.startsWith(method)) return method;
  }
  return text.slice(0, end);
}
