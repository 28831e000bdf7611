// A second opinion on HTTP/1.1 framing: a strict reader that shares no line with the gateway's own parser.
// It reads what a gateway sent, to an upstream or to a client, and says three things: what the message is, `faults`
// (what a strict peer refuses: the message is unsafe) and `leaks` (what a proxy must not pass on).
// Rules: RFC 9112 to the letter, nothing lenient; `latin1` strings, so that every byte is one character.

export interface Message {
  readonly startLine: string;
  /** Requests. '' in answers. */
  readonly method: string;
  readonly target: string;
  /** Answers. 0 in requests. */
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly leaks: readonly string[];
}

export type Field = readonly [name: string, value: string];

export type Reading =
  | { readonly state: 'complete'; readonly message: Message; readonly end: number }
  /** `head` is there when it has been read and only the body is missing. */
  | { readonly state: 'incomplete'; readonly head: Message | null }
  | { readonly state: 'broken'; readonly fault: string };

type Body =
  | { state: 'complete'; body: Buffer; trailers: Field[]; leaks: string[]; end: number }
  | { state: 'incomplete' };

class Broken extends Error {}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^[\x21-\x7e]+$/;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%]+)(:\d{0,5})?$/;
const HOP_BY_HOP = new Set(['keep-alive', 'proxy-connection', 'te', 'upgrade']);
const OWN_CONNECTION_OPTIONS = new Set(['close', 'keep-alive', 'upgrade']);
/** Names that applications read with `-` and `_` alike (CGI, WSGI, nginx): a twin overrides the real one. */
const TWINNED =
  /^(content-length|transfer-encoding|host|connection|forwarded|x-real-ip|x-forwarded-.*|x-lockstep-.*)$/;
/** RFC 9110 section 6.5.1: framing, routing and request modifiers don't belong in trailers. */
const NEVER_A_TRAILER = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'cookie',
  'set-cookie',
  'trailer',
]);

/** Values of a field, in order; names in any case. */
export function valuesOf(message: { readonly fields: readonly Field[] }, name: string): readonly string[] {
  return message.fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** Reads the request that begins at `from`. */
export function readRequest(bytes: Buffer, from = 0): Reading {
  return reading(() => {
    const head = readHead(bytes, from);
    if (head === null) return { state: 'incomplete', head: null };
    const [method = '', target = '', version = '', ...more] = head.startLine.split(' ');
    if (more.length > 0 || !TOKEN.test(method) || !TARGET.test(target) || !/^HTTP\/1\.[01]$/.test(version)) {
      throw new Broken(`bad request line ${JSON.stringify(head.startLine)}`);
    }
    const hosts = valuesOf(head, 'host');
    if (hosts.length !== 1) throw new Broken(`${hosts.length} Host fields`);
    if (!HOST.test(hosts[0]!)) throw new Broken(`bad Host ${JSON.stringify(hosts[0])}`);
    const framing = framingOf(head.fields, version);
    return finish(bytes, { ...head, method, target, status: 0, framing: framing ?? 'none' }, false);
  });
}

/** Reads the answer to a `method` that begins at `from`; `isEnded` says that nothing more comes. */
export function readAnswer(bytes: Buffer, from: number, method: string, isEnded: boolean): Reading {
  return reading(() => {
    const head = readHead(bytes, from);
    if (head === null) return { state: 'incomplete', head: null };
    const line = /^(HTTP\/1\.[01]) ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(head.startLine);
    if (line === null) throw new Broken(`bad status line ${JSON.stringify(head.startLine)}`);
    const status = Number(line[2]);
    const declared = framingOf(head.fields, line[1]!);
    if ((status < 200 || status === 204) && declared !== null) {
      throw new Broken(`${status} with a framing field`);
    }
    const isBodiless = status < 200 || status === 204 || status === 304 || method === 'HEAD';
    const framing = isBodiless ? 'none' : (declared ?? 'close');
    return finish(bytes, { ...head, method: '', target: '', status, framing }, isEnded);
  });
}

function reading(read: () => Reading): Reading {
  try {
    return read();
  } catch (error) {
    if (error instanceof Broken) return { state: 'broken', fault: error.message };
    throw error;
  }
}

interface Head {
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly bodyAt: number;
}

function readHead(bytes: Buffer, from: number): Head | null {
  const end = bytes.indexOf('\r\n\r\n', from, 'latin1');
  const text = bytes.toString('latin1', from, end === -1 ? bytes.length : end + 2);
  // What arrived must be strict already, complete or not: a bare CR may only be the last byte so far.
  const flaw = /\r(?!\n)(?!$)|(?<!\r)\n|\0/.exec(text);
  if (flaw !== null) throw new Broken(`${JSON.stringify(flaw[0])} at ${flaw.index} of a head`);
  if (text.startsWith('\r\n')) throw new Broken('an empty line before a message');
  if (end === -1) return null;
  const [startLine = '', ...lines] = text.slice(0, -2).split('\r\n');
  return { startLine, fields: lines.map(readField), bodyAt: end + 4 };
}

function readField(line: string): Field {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '');
  if (!TOKEN.test(name)) throw new Broken(`bad field name in ${JSON.stringify(line.slice(0, 80))}`);
  if (!VALUE.test(value)) throw new Broken(`bad value of ${name}`);
  return [name, value];
}

/** Null when no field says how the body is framed. */
function framingOf(fields: readonly Field[], version: string): 'length' | 'chunked' | null {
  const lengths = valuesOf({ fields }, 'content-length');
  const codings = valuesOf({ fields }, 'transfer-encoding');
  if (lengths.length > 1) throw new Broken(`${lengths.length} Content-Length fields`);
  if (lengths.length > 0 && codings.length > 0) throw new Broken('Content-Length and Transfer-Encoding');
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0]!.toLowerCase() !== 'chunked') throw new Broken(`coding ${codings}`);
    if (version === 'HTTP/1.0') throw new Broken('Transfer-Encoding in HTTP/1.0');
    return 'chunked';
  }
  if (lengths.length === 0) return null;
  if (!/^(0|[1-9]\d{0,15})$/.test(lengths[0]!)) throw new Broken(`Content-Length ${lengths[0]}`);
  return 'length';
}

function finish(
  bytes: Buffer,
  head: Head & Pick<Message, 'method' | 'target' | 'status' | 'framing'>,
  isEnded: boolean,
): Reading {
  const body = readBody(bytes, head, isEnded);
  const partial = { ...head, leaks: leaksOf(head.fields, head.status), body: Buffer.alloc(0), trailers: [] };
  if (body.state === 'incomplete') return { state: 'incomplete', head: partial };
  const message = {
    ...partial,
    body: body.body,
    trailers: body.trailers,
    leaks: [...partial.leaks, ...body.leaks],
  };
  return { state: 'complete', message, end: body.end };
}

function readBody(bytes: Buffer, head: Head & { framing: Message['framing'] }, isEnded: boolean): Body {
  const whole = (end: number): Body =>
    end > bytes.length
      ? { state: 'incomplete' }
      : { state: 'complete', body: bytes.subarray(head.bodyAt, end), trailers: [], leaks: [], end };
  switch (head.framing) {
    case 'none':
      return whole(head.bodyAt);
    case 'length':
      return whole(head.bodyAt + Number(valuesOf(head, 'content-length')[0]));
    case 'close':
      return isEnded ? whole(bytes.length) : { state: 'incomplete' };
    case 'chunked':
      return readChunks(bytes, head.bodyAt);
    default:
      return head.framing satisfies never;
  }
}

function readChunks(bytes: Buffer, from: number): Body {
  const data: Buffer[] = [];
  const leaks: string[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\n', at, 'latin1');
    const line = bytes.toString('latin1', at, lineEnd === -1 ? bytes.length : lineEnd + 1);
    if (!/^[0-9A-Fa-f]{0,16}(;[\t\x20-\x7e\x80-\xff]*)?\r?\n?$/.test(line)) {
      throw new Broken(`bad chunk line ${JSON.stringify(line.slice(0, 40))}`);
    }
    if (lineEnd === -1) return { state: 'incomplete' };
    const [, digits = '', extension] = /^([0-9A-Fa-f]+)(;.*)?\r\n$/.exec(line) ?? [];
    if (digits === '') throw new Broken(`bad chunk line ${JSON.stringify(line.slice(0, 40))}`);
    if (extension !== undefined) leaks.push('a chunk extension');
    if (/^0./.test(digits)) leaks.push('leading zeros in a chunk size');
    const size = Number.parseInt(digits, 16);
    at = lineEnd + 1;
    if (size === 0) return readTrailers(bytes, at, Buffer.concat(data), leaks);
    const terminator = bytes.toString('latin1', at + size, at + size + 2);
    if (!'\r\n'.startsWith(terminator)) throw new Broken('chunk data does not end where its size says');
    if (terminator.length < 2) return { state: 'incomplete' };
    data.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

function readTrailers(bytes: Buffer, from: number, body: Buffer, leaks: string[]): Body {
  const trailers: Field[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\n', at, 'latin1');
    const line = bytes.toString('latin1', at, lineEnd === -1 ? bytes.length : lineEnd + 1);
    if (/\r(?!\n)(?!$)|(?<!\r)\n|\0/.test(line)) throw new Broken('bare CR, LF or NUL in trailers');
    if (lineEnd === -1) return { state: 'incomplete' };
    at = lineEnd + 1;
    if (line === '\r\n') return { state: 'complete', body, trailers, leaks, end: at };
    const trailer = readField(line.slice(0, -2));
    trailers.push(trailer);
    if (NEVER_A_TRAILER.has(trailer[0].toLowerCase())) leaks.push(`${trailer[0]} as a trailer`);
  }
}

function leaksOf(fields: readonly Field[], status: number): readonly string[] {
  const options = valuesOf({ fields }, 'connection').flatMap((value) =>
    value.split(',').map((option) => option.trim().toLowerCase()),
  );
  const isUpgrade = options.includes('upgrade') && (status === 0 || status === 101);
  const leaks = options
    .filter((option) => !OWN_CONNECTION_OPTIONS.has(option))
    .map((option) => `Connection: ${option}`);
  for (const [name] of fields) {
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) && !(lower === 'upgrade' && isUpgrade)) leaks.push(`${name} (hop-by-hop)`);
    if (lower.includes('_') && TWINNED.test(lower.replaceAll('_', '-')))
      leaks.push(`${name} (underscore twin)`);
  }
  return leaks;
}
