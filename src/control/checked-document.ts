// A value as it lies in the state directory: JSON with a format number and a checksum, so that a file that was damaged, or
// that a newer Lockstep wrote, is known as such and never taken for what it says.

import { hash } from 'node:crypto';

const FORMAT = 1;

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  /** `fault`: the end of a sentence about the file. */
  | { readonly ok: false; readonly fault: string; readonly isNewer: boolean };

/** `name`: of the value in the document. */
export function encodeDocument(name: string, value: unknown): string {
  return `${JSON.stringify({ format: FORMAT, checksum: checksum(value), [name]: value }, null, 2)}\n`;
}

/** The value is as it was encoded; what it means is its reader's to check. */
export function decodeDocument(name: string, text: string): Decoded<unknown> {
  const bad = (fault: string, isNewer = false) => ({ ok: false, fault, isNewer }) as const;
  let document: Readonly<Record<string, unknown>> | null;
  try {
    document = JSON.parse(text);
  } catch {
    return bad('is damaged: it is not JSON');
  }
  if (typeof document !== 'object' || document === null) return bad('is damaged: it is not an object');
  const { format, checksum: stored, [name]: value } = document;
  if (typeof format !== 'number') return bad('is damaged: it has no format number');
  if (format > FORMAT) return bad(`has format ${format}, and this Lockstep reads format ${FORMAT}`, true);
  if (format !== FORMAT) return bad(`is damaged: format ${format} never was`);
  if (value === undefined || stored !== checksum(value)) {
    return bad('is damaged: its checksum does not fit its content');
  }
  return { ok: true, value };
}

/** Of the values, not of the bytes: a file that was only indented anew is as good as before. */
function checksum(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex');
}

export function shellWord(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
