// Which network a client comes from, as a number: so that many requests of one client are not taken for many clients.
// Coarse on purpose: whoever has one address of a /24, or of an IPv6 /48, often has all of them.

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const COLON = 0x3a;
/** Of 16 bits each. */
const IPV6_GROUPS = 3;

/** 0..2^32-1. What is no address counts as it is written. */
export function networkHash(clientIp: string): number {
  const start = clientIp.includes('.') ? clientIp.lastIndexOf(':') + 1 : 0; // ::ffff:192.0.2.1
  const end = endOfNetwork(clientIp, start);
  let hash = FNV_OFFSET;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ clientIp.charCodeAt(at), FNV_PRIME);
  // FNV's low bits alone hardly differ for near addresses, and they are what is used.
  return (hash ^ (hash >>> 15)) >>> 0;
}

function endOfNetwork(ip: string, start: number): number {
  if (start > 0 || ip.includes('.')) return ip.lastIndexOf('.');
  let groups = 0;
  for (let at = 0; at < ip.length; at++) {
    if (ip.charCodeAt(at) !== COLON) continue;
    // `::` stands for zeros: none of the network's bits come after it, as far as it goes.
    if (++groups === IPV6_GROUPS || ip.charCodeAt(at + 1) === COLON) return at;
  }
  return ip.length;
}
