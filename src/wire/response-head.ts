// The head of an upstream's answer, RFC 9112 §4 and §6.3. As strict as for requests, since what comes from an upstream is
// framed for a client and for the next request on the connection: an ambiguous answer is refused, never passed on.

import type { FailureCode } from '../core/errors.ts';
import { contentLength, transferCoding } from '../engine/body-framing.ts';
import { isDigit, isValueChar } from '../engine/characters.ts';
import { FIELD, isCaching } from '../engine/field-names.ts';
import { ConnectionOptions, FieldBlock } from './field-block.ts';

export type BodyFraming = 'none' | 'length' | 'chunked' | 'close';

export class ResponseHead {
  readonly fields = new FieldBlock();
  readonly connection = new ConnectionOptions();
  status = 0;
  /** May be empty. */
  reasonPhrase = '';
  minor = 1;
  framing: BodyFraming = 'none';
  /** -1 when absent. For HEAD and 304 it speaks of the body that is not there. */
  contentLength = -1;
  hasDate = false;
  /** `Upgrade: websocket` with `Connection: upgrade`, and nothing else to upgrade to. */
  isWebSocket = false;
  /** Some field says who may keep the answer. */
  isCaching = false;
  hasSetCookie = false;
  /** x-lockstep-version: whose answer it is, of the gateway's own. '' for none. */
  owner = '';

  /** Reads `text`, a whole head with its final empty line, as the answer to `method`. Returns null, or why it is refused. */
  read(text: string, method: string, maxFields: number): FailureCode | null {
    const lineEnd = text.indexOf('\r\n');
    if (!this.#readStatusLine(text, lineEnd)) return 'upstream-invalid';
    if (this.fields.read(text, lineEnd + 2, text.length, maxFields, true) !== null) return 'upstream-invalid';
    return this.#judge(method) ? null : 'upstream-invalid';
  }

  get isInterim(): boolean {
    return this.status < 200;
  }

  /** The upstream will take another request on this connection. */
  get keepsAlive(): boolean {
    return this.minor === 1 && !this.connection.hasClose && this.framing !== 'close';
  }

  /** Status-Line = HTTP-version SP 3DIGIT [SP [reason]]: some servers leave out the last SP, which harms nobody. */
  #readStatusLine(text: string, lineEnd: number): boolean {
    if (!text.startsWith('HTTP/1.') || text.charCodeAt(8) !== 32 || lineEnd < 12) return false;
    const minor = text.charCodeAt(7);
    if (!isDigit(minor)) return false;
    this.minor = minor === 0x30 ? 0 : 1;
    this.status = 0;
    for (let i = 9; i < 12; i++) {
      const c = text.charCodeAt(i);
      if (!isDigit(c)) return false;
      this.status = this.status * 10 + (c - 0x30);
    }
    if (this.status < 100) return false;
    if (lineEnd === 12) {
      this.reasonPhrase = '';
      return true;
    }
    if (text.charCodeAt(12) !== 32) return false;
    for (let i = 13; i < lineEnd; i++) if (!isValueChar(text.charCodeAt(i))) return false;
    this.reasonPhrase = text.slice(13, lineEnd);
    return true;
  }

  /** RFC 9112 §6.3 in its order. */
  #judge(method: string): boolean {
    const fields = this.fields;
    this.connection.reset();
    this.contentLength = -1;
    this.hasDate = false;
    let codings = 0;
    let upgrades = 0;
    this.isCaching = false;
    this.hasSetCookie = false;
    this.owner = '';
    for (let i = 0; i < fields.count; i++) {
      switch (fields.ids[i]) {
        case FIELD.CONTENT_LENGTH:
          if (this.contentLength !== -1) return false;
          this.contentLength = contentLength(fields.text, fields.valueStart[i]!, fields.valueEnd[i]!);
          if (this.contentLength === -1) return false;
          break;
        case FIELD.TRANSFER_ENCODING:
          codings++;
          if (transferCoding(fields.value(i)) !== 'chunked') return false;
          break;
        case FIELD.DATE:
          this.hasDate = true;
          break;
        case FIELD.CONNECTION:
          this.connection.add(fields, i);
          break;
        case FIELD.UPGRADE:
          upgrades += fields.valueIs(i, 'websocket') ? 1 : 2;
          break;
        case FIELD.SET_COOKIE:
          this.hasSetCookie = true;
          break;
        case FIELD.X_LOCKSTEP_VERSION:
          this.owner = fields.value(i);
          break;
        default:
          if (isCaching(fields.ids[i]!)) this.isCaching = true;
      }
    }
    this.isWebSocket = upgrades === 1 && this.connection.hasUpgrade;
    if (codings > 1 || (codings === 1 && (this.contentLength !== -1 || this.minor === 0))) return false;
    if (method === 'HEAD' || this.status < 200 || this.status === 204 || this.status === 304)
      this.framing = 'none';
    else if (codings === 1) this.framing = 'chunked';
    else if (this.contentLength >= 0) this.framing = this.contentLength === 0 ? 'none' : 'length';
    else this.framing = 'close';
    return true;
  }
}
