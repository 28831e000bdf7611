// Who the client is, when other proxies may stand before us (`trustedProxies`). Rules (HARDENING V10):
// - from a peer that is not trusted nothing is believed: what goes up is what the socket says;
// - from a trusted one X-Forwarded-For is walked from the right, over trusted addresses, to the first that is not;
//   what stands left of that one anybody can have written, and does not go up;
// - an entry that is no address ends the walk before it;
// - addresses are written in one way: IPv4-mapped ones as IPv4, IPv6 as RFC 5952 has it, without zone and port.

import { BlockList, isIP, SocketAddress } from 'node:net';
import { unmapped } from '../core/mapped-address.ts';

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;
  /** Who was asked about last, and the answer: a balancer's connections come one after the other. */
  #lastIp = '';
  #wasTrusted = false;

  /** Addresses and CIDRs. Throws a RangeError for what is neither. */
  constructor(cidrs: readonly string[]) {
    this.#isEmpty = cidrs.length === 0;
    for (const cidr of cidrs) this.#add(cidr);
  }

  isTrusted(ip: string): boolean {
    if (this.#isEmpty) return false;
    if (ip === this.#lastIp) return this.#wasTrusted;
    const address = canonical(ip);
    this.#wasTrusted = address !== '' && this.#list.check(address, familyOf(address));
    this.#lastIp = ip;
    return this.#wasTrusted;
  }

  #add(cidr: string): void {
    const slash = cidr.indexOf('/');
    const network = slash === -1 ? cidr : cidr.slice(0, slash);
    const address = canonical(network);
    if (address === '') throw new RangeError(`expected an address or CIDR, got ${cidr}`);
    if (slash === -1) {
      this.#list.addAddress(address, familyOf(address));
      return;
    }
    const family = familyOf(address);
    const mappedBits = family === 'ipv4' && isIP(network) === 6 ? 96 : 0;
    const length = cidr.slice(slash + 1);
    const bits = Number(length) - mappedBits;
    if (!/^\d{1,3}$/.test(length) || bits < 0 || bits > (family === 'ipv4' ? 32 : 128)) {
      throw new RangeError(`expected an address or CIDR, got ${cidr}`);
    }
    this.#list.addSubnet(address, bits, family);
  }
}

export interface ClaimedAddress {
  /** The socket's. */
  readonly peer: string;
  /** As they came, '' when absent; several X-Forwarded-For lines joined by a comma. */
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  readonly isTls: boolean;
  readonly trusted: TrustedProxies;
}

export interface ClientAddress {
  readonly clientIp: string;
  /** The client's own connection is TLS. */
  readonly isSecure: boolean;
  /** X-Forwarded-For to send up: the client, the trusted proxies it came through, the peer right-most. */
  readonly forwardedFor: string;
  readonly forwardedProto: 'http' | 'https';
  /** '' when nobody who is believed has said: the request's own Host it is. */
  readonly forwardedHost: string;
  readonly isOfTrustedPeer: boolean;
}

export function clientAddress(claimed: ClaimedAddress): ClientAddress {
  const { trusted, isTls } = claimed;
  const peer = canonical(claimed.peer);
  if (!trusted.isTrusted(peer)) {
    const forwardedProto = isTls ? 'https' : 'http';
    return {
      clientIp: peer,
      isSecure: isTls,
      forwardedFor: peer,
      forwardedProto,
      forwardedHost: '',
      isOfTrustedPeer: false,
    };
  }
  const { clientIp, chain } = walk(claimed.forwardedFor, peer, trusted);
  const forwardedProto = believedProto(claimed.forwardedProto) ?? (isTls ? 'https' : 'http');
  return {
    clientIp,
    isSecure: forwardedProto === 'https',
    forwardedFor: chain,
    forwardedProto,
    forwardedHost: isHostLike(claimed.forwardedHost) ? claimed.forwardedHost : '',
    isOfTrustedPeer: true,
  };
}

/** From the trusted peer back to the first address that is not trusted, or the last that could be read. */
function walk(
  forwardedFor: string,
  peer: string,
  trusted: TrustedProxies,
): { clientIp: string; chain: string } {
  let clientIp = peer;
  const chain = [peer];
  for (let end = forwardedFor.length; end > 0; ) {
    const comma = forwardedFor.lastIndexOf(',', end - 1);
    const address = entryAddress(forwardedFor.slice(comma + 1, end).trim());
    if (address === '') break;
    clientIp = address;
    chain.push(address);
    if (!trusted.isTrusted(address)) break;
    end = comma;
  }
  return { clientIp, chain: chain.reverse().join(', ') };
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; '' for anything else. */
function entryAddress(entry: string): string {
  if (entry.startsWith('[')) {
    const close = entry.indexOf(']');
    const inside = close === -1 ? '' : entry.slice(1, close);
    return isIP(inside) === 6 && isPortOrNothing(entry.slice(close + 1)) ? canonical(inside) : '';
  }
  const colon = entry.indexOf(':');
  if (colon === -1 || colon !== entry.lastIndexOf(':')) return canonical(entry);
  const host = entry.slice(0, colon);
  return isIP(host) === 4 && isPortOrNothing(entry.slice(colon)) ? host : '';
}

function isPortOrNothing(text: string): boolean {
  return text === '' || /^:\d{1,5}$/.test(text);
}

/** The one way to write an address; '' for what is none. */
export function canonical(ip: string): string {
  const kind = isIP(ip);
  if (kind !== 6) return kind === 4 ? ip : '';
  return unmapped(new SocketAddress({ address: ip, family: 'ipv6' }).address);
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** One word: of a list nobody can say which connection it speaks of. */
function believedProto(value: string): 'http' | 'https' | null {
  const proto = value.trim().toLowerCase();
  return proto === 'http' || proto === 'https' ? proto : null;
}

/** Characters of a host with a port, and of one only: a list or user info is nobody's Host. */
function isHostLike(value: string): boolean {
  return value.length <= 260 && /^[A-Za-z0-9._~:[\]-]+$/.test(value);
}
