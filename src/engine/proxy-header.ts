// The PROXY header that goes up (HAProxy's doc/proxy-protocol.txt, versions 1 and 2): who the client of a connection is, and
// which address it came to. Written as latin1, so that it leaves in one write with the head behind it.

import { isIPv4, type Socket } from 'node:net';
import { type ProxyHeaderKind, V2_SIGNATURE } from '../core/proxy-header.ts';
import { canonical } from './client-address.ts';

/** Both ends of a client's connection, each an IP address in its one way to be written and a port. */
export interface ConnectionEnds {
  readonly client: string;
  readonly clientPort: number;
  readonly local: string;
  readonly localPort: number;
}

const PROXY = 0x21;
const UNSPECIFIED = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const MAPPED = '::ffff:';

/** Of the socket itself; null when the client is gone. Two system calls. */
export function endsOf(socket: Socket): ConnectionEnds | null {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
  const [client, local] = [canonical(remoteAddress), canonical(localAddress)];
  return client === '' || local === '' ? null : { client, clientPort: remotePort, local, localPort };
}

/** `ends`: null where nobody knows them. */
export function proxyHeader(kind: ProxyHeaderKind, ends: ConnectionEnds | null): string {
  return kind === 'v1' ? firstVersion(ends) : secondVersion(ends);
}

function firstVersion(ends: ConnectionEnds | null): string {
  if (ends === null) return 'PROXY UNKNOWN\r\n';
  const { client, clientPort, local, localPort } = ends;
  const isV4 = isIPv4(client) && isIPv4(local);
  const [from, to] = isV4 ? [client, local] : [asIPv6(client), asIPv6(local)];
  return `PROXY ${isV4 ? 'TCP4' : 'TCP6'} ${from} ${to} ${clientPort} ${localPort}\r\n`;
}

function secondVersion(ends: ConnectionEnds | null): string {
  if (ends === null) return `${V2_SIGNATURE}${String.fromCharCode(PROXY, UNSPECIFIED)}\0\0`;
  const { client, clientPort, local, localPort } = ends;
  const isV4 = isIPv4(client) && isIPv4(local);
  const family = isV4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const octetsOf = isV4 ? ipv4Octets : (ip: string) => ipv6Octets(asIPv6(ip));
  const block = [...octetsOf(client), ...octetsOf(local), ...twoOctets(clientPort), ...twoOctets(localPort)];
  return V2_SIGNATURE + String.fromCharCode(PROXY, family, ...twoOctets(block.length), ...block);
}

/** Ends of two families are written in the wider one. */
function asIPv6(ip: string): string {
  return isIPv4(ip) ? MAPPED + ip : ip;
}

function ipv4Octets(ip: string): number[] {
  return ip.split('.').map(Number);
}

/** Of what the kernel, or `canonical`, has written: RFC 5952, with dots in what is mapped or compatible. */
function ipv6Octets(ip: string): number[] {
  const [before = '', after] = ip.split('::', 2);
  const head = groupOctets(before);
  const tail = groupOctets(after ?? '');
  return [...head, ...Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function groupOctets(text: string): number[] {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.flatMap((group) =>
    group.includes('.') ? ipv4Octets(group) : twoOctets(Number.parseInt(group, 16)),
  );
}

function twoOctets(value: number): [number, number] {
  return [value >> 8, value & 0xff];
}
