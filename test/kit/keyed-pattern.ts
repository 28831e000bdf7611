// Bodies that tell whose they are: each key has octets of its own, so that an octet of another body, of another place in the
// same one, or of memory that was used before is seen for what it is.

import { seededRandom } from './random.ts';

/** A prime, so that no two keys begin alike, and no power of two of octets brings the same ones again. */
const LENGTH = 1_048_573;
const RING = ring();

function ring(): Buffer {
  const random = seededRandom(1);
  const octets = Buffer.alloc(2 * LENGTH);
  for (let at = 0; at < LENGTH; at++) octets[at] = random() * 256;
  octets.copy(octets, LENGTH, 0, LENGTH);
  return octets;
}

/** `length` octets of the body of `key` from `at` on; at most a mebibyte at a time. */
export function octetsOf(key: number, at: number, length: number): Buffer {
  const from = (key * 104_729 + at) % LENGTH;
  return RING.subarray(from, from + length);
}

/** Throws, and says where, when `seen` is not what stands at `at` in the body of `key`. */
export function checkOctets(key: number, at: number, seen: Buffer): void {
  for (let start = 0; start < seen.length; start += LENGTH) {
    const part = seen.subarray(start, start + LENGTH);
    const wanted = octetsOf(key, at + start, part.length);
    if (part.equals(wanted)) continue;
    const odd = part.findIndex((octet, i) => octet !== wanted[i]);
    const found = RING.indexOf(part.subarray(odd, odd + 16));
    throw new Error(
      `body ${key}: a foreign octet at ${at + start + odd}, of a piece of ${seen.length}; ` +
        (found === -1
          ? 'of no body'
          : `it stands at ${found - ((key * 104_729) % LENGTH)} relative to this one`),
    );
  }
}
