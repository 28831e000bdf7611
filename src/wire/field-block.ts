// A block of field lines (RFC 9112 §5), scanned once into flat arrays of offsets: no object for a field, no lower-cased
// copy. Strict: CRLF ends each line, the colon follows the name at once, no folding, no control characters. What is
// accepted here is written anew by whoever passes it on.

import type { FailureCode } from '../core/errors.ts';
import { isTokenChar, isValueChar, trimBlanks } from '../engine/characters.ts';
import { equalsIgnoringCase, FIELD, fieldId } from '../engine/field-names.ts';

const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const COLON = 58;

/** Lines a block can hold, whatever `limits.headers` says. */
export const MAX_FIELDS = 1024;

export class FieldBlock {
  text = '';
  count = 0;
  readonly ids = new Uint8Array(MAX_FIELDS);
  readonly nameStart = new Int32Array(MAX_FIELDS);
  readonly nameEnd = new Int32Array(MAX_FIELDS);
  readonly valueStart = new Int32Array(MAX_FIELDS);
  readonly valueEnd = new Int32Array(MAX_FIELDS);

  name(i: number): string {
    return this.text.slice(this.nameStart[i], this.nameEnd[i]);
  }

  value(i: number): string {
    return this.text.slice(this.valueStart[i], this.valueEnd[i]);
  }

  /** Of all fields of a name, which is lower case; '' when there is none. For names that are rarely asked for. */
  valuesOf(name: string): string {
    let found = '';
    for (let i = 0; i < this.count; i++) {
      const start = this.nameStart[i]!;
      if (this.nameEnd[i]! - start !== name.length || !equalsIgnoringCase(this.text, start, name)) continue;
      found += found === '' ? this.value(i) : `, ${this.value(i)}`;
    }
    return found;
  }

  /** The whole line without its CRLF. */
  line(i: number): string {
    return `${this.name(i)}: ${this.value(i)}`;
  }

  valueLength(i: number): number {
    return this.valueEnd[i]! - this.valueStart[i]!;
  }

  /** The value is this word, in any case; `word` is lower case. */
  valueIs(i: number, word: string): boolean {
    return this.valueLength(i) === word.length && equalsIgnoringCase(this.text, this.valueStart[i]!, word);
  }

  /**
   * Reads lines from `position` up to the empty line, which must end at `end`. With `spaceBeforeColon` white space there
   * is dropped, which a proxy must do in answers (RFC 9112 §5.1). Returns null, or why the block is refused.
   */
  read(
    text: string,
    position: number,
    end: number,
    maxFields: number,
    spaceBeforeColon: boolean,
  ): FailureCode | null {
    this.text = text;
    this.count = 0;
    let at = position;
    for (;;) {
      if (text.charCodeAt(at) === CR) {
        return text.charCodeAt(at + 1) === LF && at + 2 === end ? null : 'malformed';
      }
      if (this.count >= maxFields || this.count >= MAX_FIELDS) return 'head-too-large';
      at = this.#readLine(text, at, end, spaceBeforeColon);
      if (at < 0) return 'malformed';
    }
  }

  /** Position after the line, or -1. */
  #readLine(text: string, start: number, end: number, spaceBeforeColon: boolean): number {
    let at = start;
    while (isTokenChar(text.charCodeAt(at))) at++;
    const nameEnd = at;
    if (nameEnd === start) return -1; // empty name (CVE-2023-25725), folding, NUL
    if (spaceBeforeColon) while (text.charCodeAt(at) === SP || text.charCodeAt(at) === TAB) at++;
    if (text.charCodeAt(at) !== COLON) return -1;
    at++;
    while (text.charCodeAt(at) === SP || text.charCodeAt(at) === TAB) at++;
    const valueStart = at;
    while (isValueChar(text.charCodeAt(at))) at++;
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF || at + 2 > end) return -1;
    let valueEnd = at;
    while (valueEnd > valueStart) {
      const c = text.charCodeAt(valueEnd - 1);
      if (c !== SP && c !== TAB) break;
      valueEnd--;
    }
    const i = this.count++;
    this.ids[i] = fieldId(text, start, nameEnd);
    this.nameStart[i] = start;
    this.nameEnd[i] = nameEnd;
    this.valueStart[i] = valueStart;
    this.valueEnd[i] = valueEnd;
    return at + 2;
  }
}

/** Names that `Connection` fields nominate, lower case, without the connection options themselves; null for none. */
export class ConnectionOptions {
  hasClose = false;
  hasUpgrade = false;
  nominated: string[] | null = null;

  reset(): void {
    this.hasClose = false;
    this.hasUpgrade = false;
    this.nominated = null;
  }

  /** Takes in one Connection field (RFC 9110 §7.6.1). */
  add(block: FieldBlock, i: number): void {
    // The two values that nearly every request has cost no list.
    if (block.valueIs(i, 'keep-alive')) return;
    if (block.valueIs(i, 'close')) {
      this.hasClose = true;
      return;
    }
    for (const part of block.value(i).split(',')) {
      const option = trimBlanks(part).toLowerCase();
      if (option === 'close') this.hasClose = true;
      else if (option === 'upgrade') this.hasUpgrade = true;
      else if (option !== '' && option !== 'keep-alive') {
        this.nominated ??= [];
        this.nominated.push(option);
      }
    }
  }

  /** Whether the field was nominated and may be removed; the caller keeps those that route or frame. */
  nominates(block: FieldBlock, i: number): boolean {
    if (this.nominated === null || block.ids[i] === FIELD.CONNECTION) return false;
    return this.nominated.includes(block.name(i).toLowerCase());
  }
}
