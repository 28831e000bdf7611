// The first thing on a new connection to a server whose version is discovered: a request that asks which version it runs, before
// the connection carries anything for a page (core/served-version.ts says where that stands). A connection belongs to one
// process: what answered it once is what answers it until it closes. So a server that was restarted with another build between two
// health checks never gets a request that is meant for the one before.
// A server that closes after each answer cannot be held to its word like that. It is asked on a connection of its own, and
// what it said is taken for so for a moment: shorter than a process takes to end and another to begin listening.
// This reads one small answer, strictly; of a longer or stranger one it says that it is broken, and the connection is not used.

import type { VersionSource } from '../core/policy.ts';
import { servedVersion, VERSION_BODY_BYTES, versionPath } from '../core/served-version.ts';
import { isPlainValue, isToken, trimBlanks } from './characters.ts';
import { MAX_INTERIM } from './fixed-bounds.ts';

/** How a new connection is to be asked. */
export interface GreetingSettings {
  readonly source: VersionSource;
  /** Of health checks; null where a TCP connect is the whole check. */
  readonly healthPath: string | null;
}

export type Greeted =
  | { readonly is: 'said'; readonly version: string; readonly keepsAlive: boolean }
  | { readonly is: 'broken'; readonly why: string };

/** That long a server that closes its connections is believed. Node takes 30 ms to start; nothing takes none. */
export const TRUST_MS = 20;
const MOST_HEAD_BYTES = 16 * 1024;
const MOST_BYTES = MOST_HEAD_BYTES + VERSION_BODY_BYTES;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?$/;

export class Greeting {
  readonly request: string;
  readonly #source: VersionSource;
  #text = '';
  #interim = 0;

  constructor({ source, healthPath }: GreetingSettings, address: string) {
    this.#source = source;
    const path = versionPath(source, healthPath);
    this.request = `GET ${path} HTTP/1.1\r\nhost: ${address}\r\nuser-agent: lockstep-health\r\n\r\n`;
  }

  /** What came of the answer. Null: more is to come. `isEnd`: nothing is. */
  take(data: Buffer, isEnd = false): Greeted | null {
    this.#text += data.toString('latin1');
    if (this.#text.length > MOST_BYTES) return broken('its answer is too long');
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end === -1 || end > MOST_HEAD_BYTES) break;
      const head = readHead(this.#text.slice(0, end));
      if (head === null) return broken('its answer is not HTTP');
      if (head.status >= 200) return this.#read(head, end, isEnd);
      if (++this.#interim > MAX_INTERIM) return broken('too many interim answers');
      this.#text = this.#text.slice(end + 4);
    }
    if (isEnd) return broken('it closed the connection before it answered');
    return this.#text.length > MOST_HEAD_BYTES ? broken('the head of its answer is too long') : null;
  }

  #read({ status, minor, fields }: Head, end: number, isEnd: boolean): Greeted | null {
    const body = bodyOf(this.#text.slice(end + 4), status, fields, isEnd);
    if (body === null) return isEnd ? broken('its answer ended too soon') : null;
    if (typeof body !== 'object') return broken('its answer cannot be read');
    const header = (name: string) => fields.get(name) ?? '';
    const text = Buffer.from(body.text, 'latin1').toString();
    const version = servedVersion(this.#source, { status, header, body: text });
    const keepsAlive = minor === '1' && !isEnd && !body.isLast && !/\bclose\b/i.test(header('connection'));
    return { is: 'said', version, keepsAlive };
  }
}

interface Head {
  readonly status: number;
  /** Of its version. */
  readonly minor: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Null for what is none. */
function readHead(text: string): Head | null {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = STATUS_LINE.exec(statusLine);
  const fields = readFields(lines);
  if (status === null || fields === null) return null;
  return { status: Number(status[2]), minor: status[1]!, fields };
}

/**
 * Null for what is none. The last of several counts for nothing here: two that matter are refused where they are used. Without a
 * regular expression: one that trims blanks takes the square of their number, and with a bare LF behind them the cube.
 */
function readFields(lines: readonly string[]): ReadonlyMap<string, string> | null {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    const value = trimBlanks(line.slice(colon + 1));
    if (!isToken(name) || !isPlainValue(value)) return null;
    const key = name.toLowerCase();
    const before = fields.get(key);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

interface Body {
  readonly text: string;
  /** Nothing can follow it on this connection. */
  readonly isLast: boolean;
}

/** Null: more is to come. `false`: it cannot be read. */
function bodyOf(
  rest: string,
  status: number,
  fields: ReadonlyMap<string, string>,
  isEnd: boolean,
): Body | null | false {
  const length = fields.get('content-length');
  const coding = fields.get('transfer-encoding');
  if (status === 204 || status === 304) return rest === '' ? { text: '', isLast: false } : false;
  if (coding !== undefined) return length !== undefined ? false : chunked(coding, rest);
  if (length === undefined) return isEnd ? { text: rest, isLast: true } : null;
  if (!/^\d{1,9}$/.test(length)) return false;
  // Octets that nobody asked for: whose answer they are cannot be known.
  if (rest.length > Number(length)) return false;
  return rest.length === Number(length) ? { text: rest, isLast: false } : null;
}

function chunked(coding: string, rest: string): Body | null | false {
  if (coding.toLowerCase() !== 'chunked') return false;
  let text = '';
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = /^([0-9a-f]{1,6})(?:;.*)?$/i.exec(rest.slice(at, lineEnd))?.[1];
    if (size === undefined) return false;
    const start = lineEnd + 2;
    const end = start + Number.parseInt(size, 16);
    if (Number.parseInt(size, 16) === 0) {
      const last = rest.indexOf('\r\n', start) === start ? start + 2 : rest.indexOf('\r\n\r\n', start) + 4;
      if (last < start + 2) return null;
      return last === rest.length ? { text, isLast: false } : false;
    }
    if (rest.length < end + 2) return null;
    if (rest.slice(end, end + 2) !== '\r\n') return false;
    text += rest.slice(start, end);
    at = end + 2;
  }
}

function broken(why: string): Greeted {
  return { is: 'broken', why };
}
