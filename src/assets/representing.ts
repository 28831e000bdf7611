// How an asset that is remembered answers a request: in the coding that the client prefers (RFC 9110 section 12.5.3), not at
// all when the client has it (section 13), or the part that was asked for (section 14). Pure.

import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';
import Negotiator from 'negotiator';
import { parse as parseRange } from 'range-parser';
import type { Asset, Representation } from './asset.ts';

export interface AssetReply {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** Names and values by turns. */
  readonly fields: readonly string[];
  readonly representation: Representation;
  /** Octets that are sent, first and last; null: none. */
  readonly part: { readonly start: number; readonly end: number } | null;
}

/** Of codings that the client likes equally. The package's types are older than its `preferred`. */
const CHOICE = { preferred: ['br', 'gzip'] };
type Encodings = (available: string[], choice: typeof CHOICE) => string[];
/** RFC 9110 section 15.4.5: all that a 304 needs to say. */
const IN_304: ReadonlySet<string> = new Set(['cache-control', 'expires', 'vary']);

/** Null: it is not what this request would have got. */
export function reply(asset: Asset, method: string, headers: IncomingHttpHeaders): AssetReply | null {
  if (asset.varying.some((name) => headers[name] !== undefined)) return null;
  const representation = negotiated(asset, headers);
  const { length, etag, lastModified } = representation;
  const validators = [...field('etag', etag), ...field('last-modified', lastModified)];
  const plain = (status: 304 | 412 | 416, fields: readonly string[]): AssetReply => ({
    status,
    fields,
    representation,
    part: null,
  });
  if (!isMatched(headers, etag)) return plain(412, ['content-length', '0']);
  if (fresh(headers, { etag, 'last-modified': lastModified }))
    return plain(304, [...withoutRest(representation.fields), ...validators]);
  const whole = [
    ...representation.fields,
    ...validators,
    ...field('content-encoding', representation.coding),
    'accept-ranges',
    'bytes',
  ];
  const range = method === 'GET' ? rangeOf(headers, representation) : null;
  if (range === 'unsatisfiable')
    return plain(416, ['content-range', `bytes */${length}`, 'content-length', '0']);
  if (range !== null) {
    const { start, end } = range;
    const said = ['content-range', `bytes ${start}-${end}/${length}`, 'content-length', `${end - start + 1}`];
    return { status: 206, fields: [...whole, ...said], representation, part: range };
  }
  const part = length === 0 || method === 'HEAD' ? null : { start: 0, end: length - 1 };
  return { status: 200, fields: [...whole, 'content-length', String(length)], representation, part };
}

function negotiated({ representations }: Asset, headers: IncomingHttpHeaders): Representation {
  const codings = representations.map(({ coding }) => (coding === '' ? 'identity' : coding));
  const negotiator = new Negotiator({ headers });
  const [best] = (negotiator.encodings as Encodings).call(negotiator, codings, CHOICE);
  // Who wants none of them gets the first: better than nothing (section 12.5.3).
  return representations[Math.max(0, codings.indexOf(best ?? 'identity'))]!;
}

/** RFC 9110 section 13.1.1. */
function isMatched({ 'if-match': wanted }: IncomingHttpHeaders, etag: string): boolean {
  if (wanted === undefined || wanted.trim() === '*') return true;
  return isStrong(etag) && wanted.split(',').some((one) => one.trim() === etag);
}

/** Null: the whole. Of several parts the whole is sent, as section 14.2 allows. */
function rangeOf(
  { range, 'if-range': condition }: IncomingHttpHeaders,
  { length, etag, lastModified }: Representation,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | null {
  if (range === undefined || length === 0 || !isStill(condition, etag, lastModified)) return null;
  const { code, type, ranges } = parseRange(length, range);
  if (type !== 'bytes' || (code & 1) !== 0 || ranges.length > 1) return null;
  return ranges[0] ?? 'unsatisfiable';
}

/** RFC 9110 section 13.1.5: compared strongly, dates exactly. */
function isStill(condition: string | string[] | undefined, etag: string, lastModified: string): boolean {
  if (condition === undefined) return true;
  if (typeof condition !== 'string') return false;
  return condition.includes('"') ? isStrong(etag) && condition === etag : condition === lastModified;
}

function isStrong(etag: string): boolean {
  return etag.startsWith('"');
}

function withoutRest(fields: readonly string[]): string[] {
  return fields.filter((_, at) => IN_304.has(fields[at - (at % 2)]!));
}

function field(name: string, value: string): readonly string[] {
  return value === '' ? [] : [name, value];
}
