// Reads the PROXY header that a connection of a trusted peer begins with (HAProxy's doc/proxy-protocol.txt, versions 1 and 2):
// whose connection it is. Pure, and strict: what is not exactly a header is none, as soon as that can be told, and not one
// octet behind it is looked at, which are the client's.
// Rules: LOCAL, UNKNOWN, UNSPEC and UNIX sockets leave the connection to its peer; TLVs must fit exactly, and are stepped
// over, but for two: a CRC32C must be right, and what is said of TLS at the client is believed like its address.

import { isIPv4, isIPv6 } from 'node:net';
import { V2_SIGNATURE } from '../core/proxy-header.ts';
import { canonical } from './client-address.ts';
import type { ConnectionEnds } from './proxy-header.ts';

export interface ProxyHeader {
  /** In octets: what follows is the client's. */
  readonly length: number;
  /** Null: the connection is its peer's own. */
  readonly ends: ConnectionEnds | null;
  /** The header says that the client came by TLS. */
  readonly isTls: boolean;
}

export type HeaderRead = ProxyHeader | 'unfinished' | { readonly fault: string };

const FIRST = Buffer.from('PROXY ', 'latin1');
const SIGNATURE = Buffer.from(V2_SIGNATURE, 'latin1');
/** With its CRLF (section 2.1). */
const LONGEST_LINE = 107;
const FIXED_BYTES = 16;
/** nginx's bound, too (NGX_PROXY_PROTOCOL_MAX_HEADER): addresses, names and certificates' names fit into it. */
const MOST_BYTES = 4_096;
const LOCAL = 0x20;
const PROXY = 0x21;
/** Octets of two addresses and two ports, by family (section 2.2): UNSPEC, IPv4, IPv6, UNIX. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const;
const UNSPEC = 0;
const IPV4 = 1;
const IPV6 = 2;
/** 1: of TCP; 2: of UDP, as HTTP/3 comes to a balancer. */
const MOST_TRANSPORT = 2;
const TLV_CRC32C = 0x03;
const TLV_SSL = 0x20;
const SSL_FIXED_BYTES = 5;
const CLIENT_CAME_BY_TLS = 0x01;

const CR = 13;
const LF = 10;
const NO_HEADER = { fault: 'it began with something else' } as const;
const BAD_LINE = { fault: 'its line (version 1) is none' } as const;
const BAD_HEADER = { fault: 'its version 2 is damaged' } as const;

/** What the octets begin with; those behind the header may be there or not. */
export function readProxyHeader(octets: Buffer): HeaderRead {
  if (octets.length === 0) return 'unfinished';
  return octets[0] === FIRST[0] ? readLine(octets) : readBinary(octets);
}

function startsLike(octets: Buffer, wanted: Buffer): boolean {
  const length = Math.min(octets.length, wanted.length);
  return octets.compare(wanted, 0, length, 0, length) === 0;
}

function readLine(octets: Buffer): HeaderRead {
  if (!startsLike(octets, FIRST)) return NO_HEADER;
  const most = Math.min(octets.length, LONGEST_LINE);
  for (let at = FIRST.length; at < most; at++) {
    const octet = octets[at]!;
    if (octet === CR) {
      if (at + 1 === LONGEST_LINE) return BAD_LINE;
      if (at + 1 === octets.length) return 'unfinished';
      if (octets[at + 1] !== LF) return BAD_LINE;
      const told = readWords(octets.toString('latin1', FIRST.length, at));
      return told !== null && 'fault' in told ? told : { length: at + 2, ends: told, isTls: false };
    }
    if (octet < 0x20 || octet > 0x7e) return BAD_LINE;
  }
  return octets.length < LONGEST_LINE ? 'unfinished' : BAD_LINE;
}

/** What follows `PROXY `. */
function readWords(text: string): ConnectionEnds | null | typeof BAD_LINE {
  // What follows UNKNOWN is to be ignored.
  if (text === 'UNKNOWN' || text.startsWith('UNKNOWN ')) return null;
  const words = text.split(' ');
  const [family, client = '', local = '', from = '', to = ''] = words;
  if (words.length !== 5 || !isPort(from) || !isPort(to)) return BAD_LINE;
  const ports = { clientPort: Number(from), localPort: Number(to) };
  if (family === 'TCP4' && isIPv4(client) && isIPv4(local)) return { client, local, ...ports };
  if (family !== 'TCP6' || !isPlainIPv6(client) || !isPlainIPv6(local)) return BAD_LINE;
  return { client: canonical(client), local: canonical(local), ...ports };
}

/** A zone is none of another machine's business. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readBinary(octets: Buffer): HeaderRead {
  if (!startsLike(octets, SIGNATURE)) return NO_HEADER;
  if (isWrongSoFar(octets)) return BAD_HEADER;
  if (octets.length < FIXED_BYTES) return 'unfinished';
  const length = FIXED_BYTES + octets.readUInt16BE(14);
  if (length > MOST_BYTES) return { fault: `its version 2 is longer than ${MOST_BYTES} octets` };
  if (octets.length < length) return 'unfinished';
  // Of LOCAL the rest is to be stepped over, whatever it is.
  if (octets[12] === LOCAL) return { length, ends: null, isTls: false };
  const family = octets[13]! >> 4;
  const addressEnd = FIXED_BYTES + ADDRESS_BYTES[family]!;
  if (addressEnd > length) return BAD_HEADER;
  const told = readExtras(octets.subarray(0, length), addressEnd);
  if (told === null) return BAD_HEADER;
  return { length, ends: readAddresses(octets, family), isTls: told.isTls };
}

/** Version and command, family and transport, as far as they have come. */
function isWrongSoFar(octets: Buffer): boolean {
  const command = octets[12];
  if (command === undefined) return false;
  if (command !== LOCAL && command !== PROXY) return true;
  const family = octets[13];
  if (family === undefined || command === LOCAL) return false;
  const [kind, transport] = [family >> 4, family & 0x0f];
  return (
    kind >= ADDRESS_BYTES.length || transport > MOST_TRANSPORT || (kind === UNSPEC) !== (transport === 0)
  );
}

function readAddresses(octets: Buffer, family: number): ConnectionEnds | null {
  if (family !== IPV4 && family !== IPV6) return null;
  const [width, write] = family === IPV4 ? [4, ipv4Text] : [16, ipv6Text];
  const localAt = FIXED_BYTES + width;
  const portsAt = localAt + width;
  return {
    client: write(octets, FIXED_BYTES),
    clientPort: octets.readUInt16BE(portsAt),
    local: write(octets, localAt),
    localPort: octets.readUInt16BE(portsAt + 2),
  };
}

function ipv4Text(octets: Buffer, at: number): string {
  return octets.subarray(at, at + 4).join('.');
}

function ipv6Text(octets: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, group) => octets.readUInt16BE(at + 2 * group).toString(16));
  return canonical(groups.join(':'));
}

/** The TLVs of `header` from `start` on; null when they do not fit, or the checksum is not that of the header. */
function readExtras(header: Buffer, start: number): { readonly isTls: boolean } | null {
  let isTls = false;
  let hasChecksum = false;
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return null;
    const value = at + 3;
    const end = value + header.readUInt16BE(at + 1);
    if (end > header.length) return null;
    if (header[at] === TLV_SSL) {
      if (end - value < SSL_FIXED_BYTES) return null;
      isTls = (header[value]! & CLIENT_CAME_BY_TLS) !== 0;
    } else if (header[at] === TLV_CRC32C) {
      if (hasChecksum || end - value !== 4 || header.readUInt32BE(value) !== checksum(header, value))
        return null;
      hasChecksum = true;
    }
    at = end;
  }
  return { isTls };
}

/** CRC32C (RFC 4960 appendix B) of the header, with zeros where its own value stands. Of at most MOST_BYTES: without a table. */
function checksum(header: Buffer, valueAt: number): number {
  let crc = 0xffff_ffff;
  for (let at = 0; at < header.length; at++) {
    crc ^= at >= valueAt && at < valueAt + 4 ? 0 : header[at]!;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}
