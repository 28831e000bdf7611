import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HeaderRead, type ProxyHeader, readProxyHeader } from '../../../src/engine/proxy-protocol.ts';
import {
  binaryHeader,
  FIRST_VERSION,
  ipv4Block,
  ipv6Block,
  lineHeader,
  SIGNATURE,
  secondVersion,
  tlv,
} from '../../kit/proxy-headers.ts';

const ENDS = { client: '192.0.2.7', clientPort: 40_000, local: '198.51.100.1', localPort: 443 };
const ENDS6 = { client: '2001:db8::7', clientPort: 40_000, local: '2001:db8::1', localPort: 443 };
const BLOCK4 = ipv4Block([192, 0, 2, 7], [198, 51, 100, 1], [40_000, 443]);
const BLOCK6 = ipv6Block([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], [40_000, 443]);
const UNIQUE_ID = tlv(0x05, Buffer.from('7F000001:1F90_7F000001:0050_1'));
const SSL = tlv(0x20, [0x01, 0, 0, 0, 0, ...tlv(0x21, Buffer.from('TLSv1.3'))]);
const line = (text: string) => Buffer.from(text, 'latin1');
const header = (length: number, ends: ProxyHeader['ends'], isTls = false): ProxyHeader => ({
  length,
  ends,
  isTls,
});

/** The header that ends with its checksum, with that value in it. */
function withChecksum(headerWithout: Buffer, value: number): Buffer {
  const octets = Buffer.from(headerWithout);
  octets.writeUInt32BE(value, octets.length - 4);
  return octets;
}

/** CRC32C bit by bit, written from its polynomial and not from our own code: the mirrored way. */
function castagnoli(octets: Buffer): number {
  let crc = 0xffffffffn;
  for (const octet of octets) {
    crc ^= BigInt(octet);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  return Number(crc ^ 0xffffffffn);
}

const CHECKED = secondVersion(tlv(0x03, [0, 0, 0, 0]));
const GOOD_CHECKSUM = withChecksum(CHECKED, castagnoli(CHECKED));
const CHECKED_TWICE = secondVersion(Buffer.concat([tlv(0x03, [0, 0, 0, 0]), tlv(0x03, [0, 0, 0, 0])]));

interface Row {
  readonly name: string;
  readonly given: Buffer;
  readonly want: HeaderRead;
}

const LONGEST_V1 = `PROXY UNKNOWN ${'f'.repeat(107 - 14 - 2)}\r\n`;

const TAKEN: readonly Row[] = [
  { name: 'TCP4', given: FIRST_VERSION, want: header(45, ENDS) },
  { name: 'TCP6', given: lineHeader(ENDS6), want: header(46, ENDS6) },
  {
    name: 'an IPv6 address in another way to write it',
    given: line('PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::ffff:192.0.2.1 1 2\r\n'),
    want: header(54, { client: '2001:db8::7', clientPort: 1, local: '192.0.2.1', localPort: 2 }),
  },
  { name: 'UNKNOWN alone', given: line('PROXY UNKNOWN\r\n'), want: header(15, null) },
  { name: 'UNKNOWN of 107 octets', given: line(LONGEST_V1), want: header(107, null) },
  {
    name: 'ports 0 and 65535',
    given: line('PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n'),
    want: header(36, { client: '1.2.3.4', clientPort: 0, local: '5.6.7.8', localPort: 65_535 }),
  },
  { name: 'version 2, IPv4', given: secondVersion(), want: header(28, ENDS) },
  {
    name: 'version 2, IPv6',
    given: binaryHeader({ family: 0x21, block: BLOCK6 }),
    want: header(52, ENDS6),
  },
  {
    name: 'version 2 of a client of HTTP/3 (UDP)',
    given: binaryHeader({ family: 0x12, block: BLOCK4 }),
    want: header(28, ENDS),
  },
  {
    name: 'version 2 of a UNIX socket',
    given: binaryHeader({ family: 0x31, block: Buffer.alloc(216, 0x2f) }),
    want: header(232, null),
  },
  { name: 'version 2, UNSPEC', given: binaryHeader({ family: 0 }), want: header(16, null) },
  {
    name: 'version 2, UNSPEC with a TLV',
    given: binaryHeader({ family: 0, tlvs: UNIQUE_ID }),
    want: header(16 + UNIQUE_ID.length, null),
  },
  { name: 'LOCAL', given: binaryHeader({ command: 0x20, family: 0 }), want: header(16, null) },
  {
    name: 'LOCAL with whatever behind it',
    given: binaryHeader({ command: 0x20, family: 0xff, block: Buffer.alloc(7, 0xff) }),
    want: header(23, null),
  },
  { name: 'a TLV', given: secondVersion(UNIQUE_ID), want: header(28 + UNIQUE_ID.length, ENDS) },
  {
    name: 'TLS at the client',
    given: secondVersion(Buffer.concat([UNIQUE_ID, SSL])),
    want: header(28 + UNIQUE_ID.length + SSL.length, ENDS, true),
  },
  {
    name: 'no TLS at the client, and said so',
    given: secondVersion(tlv(0x20, [0, 0, 0, 0, 0])),
    want: header(36, ENDS),
  },
  { name: 'a right checksum', given: GOOD_CHECKSUM, want: header(35, ENDS) },
  {
    name: '4096 octets in all',
    given: secondVersion(tlv(0x04, Buffer.alloc(4_096 - 28 - 3))),
    want: header(4_096, ENDS),
  },
];

const REFUSED: readonly { readonly name: string; readonly given: Buffer }[] = [
  { name: 'a request', given: line('GET / HTTP/1.1\r\nHost: a\r\n\r\n') },
  { name: 'a request that begins with a P', given: line('POST / HTTP/1.1\r\n\r\n') },
  { name: 'the client hello of TLS', given: Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]) },
  { name: 'small letters', given: line('proxy TCP4 192.0.2.7 198.51.100.1 40000 443\r\n') },
  { name: 'two blanks', given: line('PROXY  TCP4 192.0.2.7 198.51.100.1 40000 443\r\n') },
  { name: 'a tab', given: line('PROXY TCP4\t192.0.2.7 198.51.100.1 40000 443\r\n') },
  { name: 'a blank at its end', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n') },
  { name: 'a word too much', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 x\r\n') },
  { name: 'a word too little', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n') },
  { name: 'another family', given: line('PROXY UDP4 192.0.2.7 198.51.100.1 40000 443\r\n') },
  { name: 'nothing but its name', given: line('PROXY \r\n') },
  { name: 'UNKNOWN and more of the word', given: line('PROXY UNKNOWNS\r\n') },
  { name: 'IPv6 as TCP4', given: line('PROXY TCP4 2001:db8::7 2001:db8::1 40000 443\r\n') },
  { name: 'IPv4 as TCP6', given: line('PROXY TCP6 192.0.2.7 198.51.100.1 40000 443\r\n') },
  { name: 'a zone', given: line('PROXY TCP6 fe80::1%eth0 fe80::2 40000 443\r\n') },
  { name: 'leading zeros in an address', given: line('PROXY TCP4 192.0.02.7 198.51.100.1 40000 443\r\n') },
  { name: 'an address of three numbers', given: line('PROXY TCP4 192.0.2 198.51.100.1 40000 443\r\n') },
  { name: 'leading zeros in a port', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 040000 443\r\n') },
  { name: 'a port too large', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n') },
  { name: 'a port with a sign', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n') },
  { name: 'a bare LF', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\n') },
  { name: 'a bare CR', given: line('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\rX') },
  { name: 'a NUL in UNKNOWN', given: line('PROXY UNKNOWN \0\r\n') },
  { name: '108 octets', given: line(LONGEST_V1.replace('\r\n', 'f\r\n')) },
  { name: '107 octets without an end', given: line(`PROXY UNKNOWN ${'f'.repeat(93)}`) },
  { name: 'a line whose CRLF begins with its 107th octet', given: line(`PROXY UNKNOWN ${'f'.repeat(92)}\r`) },
  { name: 'version 1 in the clothes of version 2', given: binaryHeader({ command: 0x11, block: BLOCK4 }) },
  { name: 'version 3', given: binaryHeader({ command: 0x31, block: BLOCK4 }) },
  { name: 'a third command', given: binaryHeader({ command: 0x22, block: BLOCK4 }) },
  { name: 'a fifth family', given: binaryHeader({ family: 0x41, block: Buffer.alloc(216) }) },
  { name: 'a family without a transport', given: binaryHeader({ family: 0x10, block: BLOCK4 }) },
  { name: 'a transport without a family', given: binaryHeader({ family: 0x01, block: BLOCK4 }) },
  { name: 'a third transport', given: binaryHeader({ family: 0x13, block: BLOCK4 }) },
  { name: 'less than two IPv4 addresses', given: binaryHeader({ block: BLOCK4.subarray(0, 11) }) },
  { name: 'less than two IPv6 addresses', given: binaryHeader({ family: 0x21, block: BLOCK4 }) },
  {
    name: 'less than two UNIX addresses',
    given: binaryHeader({ family: 0x31, block: Buffer.alloc(215) }),
  },
  { name: 'half a TLV', given: secondVersion(Buffer.from([0x04, 0])) },
  { name: 'a TLV that is longer than the header', given: secondVersion(tlv(0x04, [1, 2], 3)) },
  { name: 'a TLV of 65535 octets in a short header', given: secondVersion(tlv(0x04, [], 65_535)) },
  { name: 'too short a word on TLS', given: secondVersion(tlv(0x20, [1, 0, 0, 0])) },
  { name: 'a wrong checksum', given: withChecksum(CHECKED, castagnoli(CHECKED) ^ 1) },
  { name: 'a checksum of three octets', given: secondVersion(tlv(0x03, [0, 0, 0])) },
  { name: 'two checksums', given: withChecksum(CHECKED_TWICE, castagnoli(CHECKED_TWICE)) },
  { name: '4097 octets in all', given: binaryHeader({ block: BLOCK4, length: 4_097 - 16 }) },
  { name: '65551 octets in all', given: binaryHeader({ block: BLOCK4, length: 65_535 }) },
];

const isFault = (read: HeaderRead): boolean => typeof read === 'object' && 'fault' in read;

describe('a PROXY header', () => {
  it.each(TAKEN)('is read: $name', ({ given, want }) => {
    expect(readProxyHeader(given)).toEqual(want);
  });

  it.each(TAKEN)('is unfinished at each octet before its last, and ends there: $name', ({ given, want }) => {
    for (let length = 0; length < given.length; length++) {
      expect(readProxyHeader(given.subarray(0, length)), `${length} octets`).toBe('unfinished');
    }
    for (const rest of ['G', '\r\n', 'PROXY UNKNOWN\r\n', '\0'.repeat(5_000)]) {
      expect(readProxyHeader(Buffer.concat([given, line(rest)]))).toEqual(want);
    }
  });

  it.each(REFUSED)('is refused: $name', ({ given }) => {
    expect(isFault(readProxyHeader(given))).toBe(true);
  });

  it('is refused as soon as that can be told', () => {
    expect(isFault(readProxyHeader(line('G')))).toBe(true);
    expect(isFault(readProxyHeader(line('PROXZ')))).toBe(true);
    expect(isFault(readProxyHeader(line('\r\n\r\nG')))).toBe(true);
    expect(isFault(readProxyHeader(Buffer.concat([SIGNATURE, Buffer.from([0x22])])))).toBe(true);
    expect(isFault(readProxyHeader(Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x13])])))).toBe(true);
    expect(isFault(readProxyHeader(binaryHeader({ length: 5_000 })))).toBe(true);
  });
});

const octet = fc.integer({ min: 0, max: 255 });
const port = fc.integer({ min: 0, max: 65_535 });
const four = fc.array(octet, { minLength: 4, maxLength: 4 });
const tlvs = fc
  .array(
    fc.tuple(
      octet.filter((type) => type !== 0x03 && type !== 0x20),
      fc.uint8Array({ maxLength: 40 }),
    ),
    { maxLength: 4 },
  )
  .map((all) => Buffer.concat(all.map(([type, value]) => tlv(type, Buffer.from(value)))));

describe('any PROXY header', () => {
  it('says what went into it, wherever it is split and whatever follows', () => {
    const parts = fc.record({
      client: four,
      local: four,
      ports: fc.tuple(port, port),
      tlvs,
      rest: fc.uint8Array(),
    });
    fc.assert(
      fc.property(parts, fc.boolean(), fc.nat(), ({ client, local, ports, tlvs, rest }, isBinary, at) => {
        const ends = {
          client: client.join('.'),
          clientPort: ports[0],
          local: local.join('.'),
          localPort: ports[1],
        };
        const given = isBinary
          ? binaryHeader({ block: ipv4Block(client, local, ports), tlvs })
          : lineHeader(ends);
        expect(readProxyHeader(Buffer.concat([given, rest]))).toEqual(header(given.length, ends));
        expect(readProxyHeader(given.subarray(0, at % given.length))).toBe('unfinished');
      }),
    );
  });

  it('is never found in random octets, nor behind a header’s first ones', () => {
    const beginnings = fc.constantFrom('', 'P', 'PROXY', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUI', '\r\n');
    fc.assert(
      fc.property(beginnings, fc.uint8Array({ maxLength: 300 }), (beginning, octets) => {
        const read = readProxyHeader(Buffer.concat([line(beginning), octets]));
        expect(read === 'unfinished' || isFault(read)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with a checksum is refused when one octet of it is another one', () => {
    fc.assert(
      fc.property(fc.nat(GOOD_CHECKSUM.length - 1), fc.integer({ min: 1, max: 255 }), (at, flipped) => {
        const damaged = Buffer.from(GOOD_CHECKSUM);
        damaged[at]! ^= flipped;
        const read = readProxyHeader(damaged);
        // LOCAL leaves all behind it out; a longer length waits, and a TLV of another type is stepped over.
        const isExplained = at === 12 || at === 14 || at === 15 || at === 28;
        expect(isExplained || isFault(read)).toBe(true);
      }),
    );
  });
});
