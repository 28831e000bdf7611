// Networks as HAProxy writes them, `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or one address, as Lockstep does.

import { isIP } from 'node:net';

/** Null for what is none, or is everybody. */
export function toNetwork(text: string): string | null {
  const [address = '', mask, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return null;
  if (mask === undefined) return `${address}/${family === 4 ? 32 : 128}`;
  const length =
    family === 4 && isIP(mask) === 4 ? lengthOf(mask) : /^\d{1,3}$/.test(mask) ? Number(mask) : null;
  return length === null || length === 0 || length > (family === 4 ? 32 : 128)
    ? null
    : `${address}/${length}`;
}

/** Null for a mask with holes. */
function lengthOf(mask: string): number | null {
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) ? (bits.indexOf('0') === -1 ? 32 : bits.indexOf('0')) : null;
}
