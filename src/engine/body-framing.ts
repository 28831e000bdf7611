// The two fields that say where a body ends, read so that no two readers can differ over them.

import { isDigit, isToken, trimBlanks } from './characters.ts';
import { equalsIgnoringCase } from './field-names.ts';

/** RFC 9110 §8.6, strictly: 1*DIGIT without padding, at most 2^53-1. -1 when it is anything else. */
export function contentLength(text: string, start: number, end: number): number {
  const digits = end - start;
  if (digits < 1 || digits > 16) return -1;
  if (digits > 1 && text.charCodeAt(start) === 0x30) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i);
    if (!isDigit(c)) return -1;
    value = value * 10 + (c - 0x30);
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/**
 * One Transfer-Encoding value (RFC 9112 §6.1). Only `chunked`, alone, is understood: `unknown` is another coding before a
 * final chunked, `invalid` everything after which a body's end cannot be known.
 */
export function transferCoding(value: string): 'chunked' | 'unknown' | 'invalid' {
  if (value.length === 7 && equalsIgnoringCase(value, 0, 'chunked')) return 'chunked';
  const codings = value.split(',').map((coding) => trimBlanks(coding).toLowerCase());
  if (codings.some((coding) => !isCoding(coding))) return 'invalid';
  if (codings.at(-1) !== 'chunked' || codings.indexOf('chunked') !== codings.length - 1) return 'invalid';
  return 'unknown';
}

/** A token, parameters behind it left to those who know the coding. */
function isCoding(text: string): boolean {
  const semicolon = text.indexOf(';');
  return isToken(trimBlanks(semicolon === -1 ? text : text.slice(0, semicolon)));
}
