// IPv4 addresses in the guise of IPv6 ones.

/**
 * `ip` as SocketAddress of node:net writes it; without the guise where it has one: ::ffff:127.0.0.1 is 127.0.0.1 by another name,
 * and leads there. RFC 5952 section 5: a mapped address keeps its dots; without them `::ffff:` is a prefix like any other.
 */
export function unmapped(ip: string): string {
  return ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice('::ffff:'.length) : ip;
}
