// One name's cookies in a Cookie header (RFC 6265 section 4.2.1), read or taken out in one walk. Rules:
// - `;` alone separates; a comma is data (nginx split at commas until 1.29.6);
// - spaces and tabs around a pair do not belong to it, everything else does; names are compared exactly;
// - linear in the header's length whatever stands in it: `;;;`, `=`, 3000 pairs (HAProxy's CVE-2019-14241 looped);
// - the bytes and the order of other cookies are never touched.

const TAB = 0x09;
const SPACE = 0x20;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

/**
 * A browser has a handful at most (scopes times paths); each one may cost a MAC for each key. Of more the last ones count:
 * browsers send longer paths first, so that copies tossed from a sibling host never hide the one of the whole site.
 */
const MAX_FINDS = 16;

/** The values in the order of the header, at most the last 16. */
export function findCookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (let start = 0; start < header.length; ) {
    const end = pairEnd(header, start);
    const from = valueStart(header, start, end, name);
    if (from !== -1) {
      if (values.length === MAX_FINDS) values.shift();
      values.push(header.slice(from, trimmedEnd(header, from, end)));
    }
    start = end + 1;
  }
  return values;
}

/** The header without the cookies of that name; '' when no other is left. */
export function stripCookie(header: string, name: string): string {
  let kept = '';
  let copied = 0;
  for (let start = 0; start < header.length; ) {
    const end = pairEnd(header, start);
    if (valueStart(header, start, end, name) !== -1) {
      kept += header.slice(copied, start);
      copied = end + 1;
      // What becomes the first pair begins the header.
      if (kept === '') copied = skipBlanks(header, copied, header.length);
    }
    start = end + 1;
  }
  if (copied === 0) return header;
  // Taken with the `;` behind it, but the last one has none: there the one before it goes.
  kept = copied > header.length ? kept.slice(0, -1) : kept + header.slice(copied);
  return isEmptyList(kept) ? '' : kept;
}

function pairEnd(header: string, start: number): number {
  const end = header.indexOf(';', start);
  return end === -1 ? header.length : end;
}

/** Where the value of the pair in [start, end) begins, -1 when it has another name or none. */
function valueStart(header: string, start: number, end: number, name: string): number {
  const from = skipBlanks(header, start, end);
  const equals = from + name.length;
  if (equals >= end || header.charCodeAt(equals) !== EQUALS || !header.startsWith(name, from)) return -1;
  return equals + 1;
}

function skipBlanks(header: string, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(header.charCodeAt(at))) at++;
  return at;
}

function trimmedEnd(header: string, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(header.charCodeAt(at - 1))) at--;
  return at;
}

/** Only separators are left: no cookie. */
function isEmptyList(list: string): boolean {
  for (let at = 0; at < list.length; at++) {
    const code = list.charCodeAt(at);
    if (code !== SEMICOLON && !isBlank(code)) return false;
  }
  return true;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
