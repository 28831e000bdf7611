// /.lockstep/client.js: the page's own part (src/client/), as it was built and committed. Compressed once, when it is
// asked for first.
// It is asked for by every page, so browsers keep it for a while and need not wait for it; what they keep they may use
// once more while they ask for a newer one. It is of no version: any of them works with any gateway.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import type { OwnHandler } from './server.ts';

interface Representation {
  /** '' for none. */
  readonly coding: string;
  readonly body: Buffer;
  readonly etag: string;
}

const FILE = new URL('../client/client.min.js', import.meta.url);
const CACHE_CONTROL = 'public, max-age=600, stale-while-revalidate=86400';

/** Reads the file; throws when it is not there. */
export function clientScript(): OwnHandler {
  const source = readFileSync(FILE);
  let made: Promise<readonly Representation[]> | null = null;
  return async ({ headers }, answer) => {
    made ??= representations(source);
    const accepted = String(headers['accept-encoding'] ?? '');
    const { coding, body, etag } = (await made).find(
      (one) => one.coding === '' || accepts(accepted, one.coding),
    )!;
    const always = { 'Cache-Control': CACHE_CONTROL, ETag: etag, Vary: 'Accept-Encoding' };
    if (isMatch(headers['if-none-match'], etag)) {
      answer.writeHead(304, always).end();
      return;
    }
    const fields: OutgoingHttpHeaders = {
      ...always,
      'Content-Type': 'text/javascript; charset=utf-8',
      'Content-Length': body.length,
      'X-Content-Type-Options': 'nosniff',
    };
    if (coding !== '') fields['Content-Encoding'] = coding;
    answer.writeHead(200, fields).end(body);
  };
}

/** The best first; the last is for everybody. */
async function representations(source: Buffer): Promise<readonly Representation[]> {
  const digest = createHash('sha256').update(source).digest('base64url').slice(0, 22);
  const { brotliCompress, gzip } = process.getBuiltinModule('node:zlib');
  const brotliCompressed = promisify(brotliCompress);
  const gzipped = promisify<Buffer, { level: number }, Buffer>(gzip);
  const [brotli, zipped] = await Promise.all([brotliCompressed(source), gzipped(source, { level: 9 })]);
  return [
    { coding: 'br', body: brotli, etag: `"${digest}-br"` },
    { coding: 'gzip', body: zipped, etag: `"${digest}-gzip"` },
    { coding: '', body: source, etag: `"${digest}"` },
  ];
}

/** Whether `br;q=1.0, gzip` takes that coding. What is said of `*` is not followed: plain is always right. */
function accepts(accepted: string, coding: string): boolean {
  return accepted.split(',').some((part) => {
    const [name, ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    return name === coding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** RFC 9110, 13.1.2: weakly compared. */
function isMatch(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition
    .split(',')
    .some((one) => /^(W\/)?(.*)$/.exec(one.trim())![2] === etag || one.trim() === '*');
}
