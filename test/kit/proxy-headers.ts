// PROXY headers as tests write them, octet by octet after the specification: nothing of it is the gateway's own code.

export const SIGNATURE = Buffer.from([
  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
]);

export interface Ends {
  readonly client: string;
  readonly clientPort: number;
  readonly local: string;
  readonly localPort: number;
}

export interface SecondVersion {
  /** Default: PROXY. */
  readonly command?: number;
  readonly family?: number;
  /** Addresses and ports. */
  readonly block?: Buffer;
  readonly tlvs?: Buffer;
  /** Instead of the true one. */
  readonly length?: number;
}

export function lineHeader({ client, clientPort, local, localPort }: Ends): Buffer {
  const family = client.includes(':') ? 'TCP6' : 'TCP4';
  return Buffer.from(`PROXY ${family} ${client} ${local} ${clientPort} ${localPort}\r\n`, 'latin1');
}

export function binaryHeader(parts: SecondVersion): Buffer {
  const { command = 0x21, family = 0x11, block = Buffer.alloc(0), tlvs = Buffer.alloc(0) } = parts;
  const fixed = Buffer.from([command, family, 0, 0]);
  fixed.writeUInt16BE(parts.length ?? block.length + tlvs.length, 2);
  return Buffer.concat([SIGNATURE, fixed, block, tlvs]);
}

/** Of four numbers each. */
export function ipv4Block(
  client: readonly number[],
  local: readonly number[],
  ports: readonly [number, number],
): Buffer {
  return Buffer.concat([Buffer.from([...client, ...local]), portOctets(ports)]);
}

/** Of eight groups each. */
export function ipv6Block(
  client: readonly number[],
  local: readonly number[],
  ports: readonly [number, number],
): Buffer {
  const groups = [...client, ...local].flatMap((group) => [group >> 8, group & 0xff]);
  return Buffer.concat([Buffer.from(groups), portOctets(ports)]);
}

export function tlv(type: number, value: Buffer | readonly number[], length?: number): Buffer {
  const octets = Buffer.from(value);
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(length ?? octets.length, 1);
  return Buffer.concat([head, octets]);
}

/** For 192.0.2.7:40000, which came to 198.51.100.1:443. */
export function secondVersion(tlvs: Buffer = Buffer.alloc(0)): Buffer {
  return binaryHeader({ block: ipv4Block([192, 0, 2, 7], [198, 51, 100, 1], [40_000, 443]), tlvs });
}

export const FIRST_VERSION = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n', 'latin1');

function portOctets([client, local]: readonly [number, number]): Buffer {
  return Buffer.from([client >> 8, client & 0xff, local >> 8, local & 0xff]);
}
