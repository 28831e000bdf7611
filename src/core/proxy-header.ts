// Whether connections to upstreams begin with a PROXY header (HAProxy's doc/proxy-protocol.txt), which tells the server behind
// them whose connection they are served for, and the header of connections that are the gateway's own.

export const PROXY_HEADERS = ['v1', 'v2'] as const;

export type ProxyHeaderKind = (typeof PROXY_HEADERS)[number];

/** As operators say it. */
export const SEND_PROXY = ['none', ...PROXY_HEADERS] as const;

export type SendProxy = (typeof SEND_PROXY)[number];

/** The first octets of version 2, as latin1: no other protocol begins so. */
export const V2_SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

/** Of health checks, warm-ups and copies of assets: nobody's but the gateway's. As latin1. */
export function ownHeader(kind: ProxyHeaderKind): string {
  // Version 1 has no LOCAL; who sends for itself says UNKNOWN (section 2.1). Version 2: command LOCAL, no family, nothing behind.
  return kind === 'v1' ? 'PROXY UNKNOWN\r\n' : `${V2_SIGNATURE}\x20\0\0\0`;
}
