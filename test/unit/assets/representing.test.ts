import { describe, expect, it } from 'vitest';
import type { Asset, Representation } from '../../../src/assets/asset.ts';
import { reply } from '../../../src/assets/representing.ts';

const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';

function representation(given: Partial<Representation> = {}): Representation {
  return {
    coding: '',
    body: 'a'.repeat(64),
    length: 100,
    etag: '"plain"',
    lastModified: MODIFIED,
    fields: ['content-type', 'text/javascript', 'cache-control', 'immutable', 'vary', 'Accept-Encoding'],
    ...given,
  };
}

function asset(given: Partial<Asset> = {}): Asset {
  const representations = [
    representation(),
    representation({ coding: 'gzip', length: 40, etag: 'W/"gzip"' }),
    representation({ coding: 'br', length: 30, etag: '"br"' }),
  ];
  const name = { version: 'v1', scheme: 'https', host: 'h', target: '/a.js' } as const;
  return { ...name, varying: [], keptAt: 0, representations, ...given };
}

/** By names. */
function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at]!, fields[2 * at + 1]!]),
  );
}

describe('the coding', () => {
  it.each([
    ['none wanted', {}, ''],
    ['identity', { 'accept-encoding': 'identity' }, ''],
    ['as browsers ask', { 'accept-encoding': 'gzip, deflate, br, zstd' }, 'br'],
    ['gzip alone', { 'accept-encoding': 'gzip' }, 'gzip'],
    ['rather gzip', { 'accept-encoding': 'br;q=0.5, gzip' }, 'gzip'],
    ['no br', { 'accept-encoding': 'br;q=0, *' }, 'gzip'],
    ['none that is there', { 'accept-encoding': 'zstd' }, ''],
    ['none at all', { 'accept-encoding': 'identity;q=0' }, ''],
    ['anything', { 'accept-encoding': '*' }, 'br'],
  ])('%s', (_, headers, want) => {
    const { representation: chosen, fields } = reply(asset(), 'GET', headers)!;
    expect(chosen.coding).toBe(want);
    expect(fieldsOf(fields)['content-encoding'] ?? '').toBe(want);
    expect(fieldsOf(fields)['content-length']).toBe(String(chosen.length));
  });
});

describe('a whole answer', () => {
  it('says what was kept of it', () => {
    const { status, part, fields } = reply(asset(), 'GET', {})!;
    expect({ status, part }).toEqual({ status: 200, part: { start: 0, end: 99 } });
    expect(fieldsOf(fields)).toEqual({
      'content-type': 'text/javascript',
      'cache-control': 'immutable',
      vary: 'Accept-Encoding',
      etag: '"plain"',
      'last-modified': MODIFIED,
      'accept-ranges': 'bytes',
      'content-length': '100',
    });
  });

  it('to HEAD says the same and sends nothing', () => {
    const head = reply(asset(), 'HEAD', { range: 'bytes=0-9' })!;
    expect(head.part).toBeNull();
    expect(head.status).toBe(200);
    expect(head.fields).toEqual(reply(asset(), 'GET', {})!.fields);
  });

  it('without an octet sends none', () => {
    const empty = asset({ representations: [representation({ length: 0 })] });
    expect(reply(empty, 'GET', { range: 'bytes=0-9' })).toMatchObject({ status: 200, part: null });
  });

  it('is for no request with a field that it varies by', () => {
    const varying = asset({ varying: ['origin'] });
    expect(reply(varying, 'GET', { origin: 'https://other.example' })).toBeNull();
    expect(reply(varying, 'GET', {})).not.toBeNull();
  });
});

describe('a conditional request', () => {
  it.each([
    ['the same tag', { 'if-none-match': '"plain"' }, 304],
    ['one of several tags', { 'if-none-match': '"x", W/"plain"' }, 304],
    ['any tag', { 'if-none-match': '*' }, 304],
    ['another tag', { 'if-none-match': '"other"' }, 200],
    [
      'another tag and an old enough date',
      { 'if-none-match': '"other"', 'if-modified-since': MODIFIED },
      200,
    ],
    ['the same date', { 'if-modified-since': MODIFIED }, 304],
    ['an earlier date', { 'if-modified-since': 'Wed, 31 Dec 2025 23:59:59 GMT' }, 200],
    ['no date', { 'if-modified-since': 'yesterday' }, 200],
    ['the same tag, and wants it sent', { 'if-none-match': '"plain"', 'cache-control': 'no-cache' }, 200],
    ['that tag or nothing', { 'if-match': '"plain"' }, 200],
    ['another tag or nothing', { 'if-match': '"other"' }, 412],
  ])('%s', (_, headers, want) => {
    expect(reply(asset(), 'GET', headers)!.status).toBe(want);
  });

  it('is compared with the coding that it would get', () => {
    const headers = { 'accept-encoding': 'gzip', 'if-none-match': '"gzip"' };
    expect(reply(asset(), 'GET', headers)!.status).toBe(304);
    expect(reply(asset(), 'GET', { ...headers, 'if-none-match': '"plain"' })!.status).toBe(200);
  });

  it('that finds nothing new is told no more than is needed', () => {
    const { fields, part } = reply(asset(), 'GET', { 'if-none-match': '"plain"' })!;
    expect(part).toBeNull();
    expect(Object.keys(fieldsOf(fields))).toEqual(['cache-control', 'vary', 'etag', 'last-modified']);
  });
});

describe('a part', () => {
  it.each([
    ['the first octets', { range: 'bytes=0-9' }, 206, { start: 0, end: 9 }],
    ['from one on', { range: 'bytes=90-' }, 206, { start: 90, end: 99 }],
    ['the last octets', { range: 'bytes=-10' }, 206, { start: 90, end: 99 }],
    ['beyond the end', { range: 'bytes=95-500' }, 206, { start: 95, end: 99 }],
    ['behind the end', { range: 'bytes=100-' }, 416, null],
    ['several', { range: 'bytes=0-1,5-6' }, 200, { start: 0, end: 99 }],
    ['no part', { range: 'bytes=x' }, 200, { start: 0, end: 99 }],
    ['of another unit', { range: 'lines=1-2' }, 200, { start: 0, end: 99 }],
    ['if it is still that one', { range: 'bytes=0-9', 'if-range': '"plain"' }, 206, { start: 0, end: 9 }],
    ['if it were another one', { range: 'bytes=0-9', 'if-range': '"old"' }, 200, { start: 0, end: 99 }],
    ['if it is of that date', { range: 'bytes=0-9', 'if-range': MODIFIED }, 206, { start: 0, end: 9 }],
    ['by a weak tag', { range: 'bytes=0-9', 'if-range': 'W/"plain"' }, 200, { start: 0, end: 99 }],
  ])('%s', (_, headers, status, part) => {
    expect(reply(asset(), 'GET', headers)).toMatchObject({ status, part });
  });

  it('says which it is', () => {
    const { fields } = reply(asset(), 'GET', { range: 'bytes=10-19' })!;
    expect(fieldsOf(fields)).toMatchObject({ 'content-range': 'bytes 10-19/100', 'content-length': '10' });
    const none = reply(asset(), 'GET', { range: 'bytes=100-' })!;
    expect(fieldsOf(none.fields)).toMatchObject({ 'content-range': 'bytes */100' });
  });
});
