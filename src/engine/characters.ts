// Which octets may stand where in a head, as one table: a look-up each, where a regular expression would cost five.

const TOKEN = 1;
const VALUE = 2;
const TARGET = 4;
const HOST = 8;

const CLASSES = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const char = String.fromCharCode(c);
  // RFC 9110 §5.6.2
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) CLASSES[c]! |= TOKEN;
  // RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB
  if (c === 9 || (c >= 0x20 && c !== 0x7f)) CLASSES[c]! |= VALUE;
  // Visible ASCII; no fragment (RFC 9112 §3.2), nothing above 7 bit (RFC 3986 §2), as HAProxy has it.
  if (c > 0x20 && c < 0x7f && char !== '#') CLASSES[c]! |= TARGET;
  // Of RFC 3986 §3.2.2 reg-name the unreserved ones: no name of DNS has more, and others read a comma as two hosts, say.
  if (/[A-Za-z0-9\-._~]/.test(char)) CLASSES[c]! |= HOST;
}

export const isTokenChar = (c: number): boolean => c < 256 && (CLASSES[c]! & TOKEN) !== 0;
export const isValueChar = (c: number): boolean => c < 256 && (CLASSES[c]! & VALUE) !== 0;
export const isTargetChar = (c: number): boolean => c < 256 && (CLASSES[c]! & TARGET) !== 0;
export const isHostChar = (c: number): boolean => c < 256 && (CLASSES[c]! & HOST) !== 0;
export const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;

/** A field value or reason phrase. */
export function isPlainValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isValueChar(text.charCodeAt(i))) return false;
  return true;
}

/** Without the spaces and tabs around it (RFC 9110 §5.6.3); `trim` takes a no-break space as well, which is obs-text. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (c: number): boolean => c === 0x20 || c === 9;

/** A field name, method or coding. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isTokenChar(text.charCodeAt(i))) return false;
  return text.length > 0;
}
