// A real little DNS server on loopback, over UDP and TCP: it answers A, AAAA and SRV from records that a test changes while it
// runs, or refuses, fails, is silent, or answers with too much for a datagram (TC), so that it is asked again over TCP.

import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';

export interface DnsRecords {
  readonly a?: readonly string[];
  /** Whole, without `::`. */
  readonly aaaa?: readonly string[];
  readonly srv?: readonly {
    readonly priority?: number;
    readonly weight?: number;
    readonly port: number;
    readonly target: string;
  }[];
  /** Default 60. */
  readonly ttlSeconds?: number;
}

/** What becomes of a question; a name that nobody set does not exist. */
export type DnsBehaviour = DnsRecords | 'nxdomain' | 'servfail' | 'refused' | 'silent';

export interface DnsServer {
  /** As `discovery.resolvers` has it. */
  readonly address: string;
  /** `A app.internal`, in the order in which they came; `A app.internal tcp`. */
  readonly asked: readonly string[];
  set(name: string, behaviour: DnsBehaviour): void;
  /** Of one type only: what `set` says holds for the others. */
  setType(name: string, type: DnsType, behaviour: DnsBehaviour): void;
  /** Answers over UDP are cut from now on. */
  truncates: boolean;
  stop(): Promise<void>;
}

export type DnsType = 'A' | 'AAAA' | 'SRV';

const TYPES: Readonly<Record<number, DnsType>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };
const RCODES = { nxdomain: 3, servfail: 2, refused: 5 } as const;
const HEAD_BYTES = 12;

export async function startDnsServer(): Promise<DnsServer> {
  const names = new Map<string, DnsBehaviour>();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => serveTcp(socket));
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as { port: number };
  const udp = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, '127.0.0.1', resolve);
  });
  const server: DnsServer = {
    address: `127.0.0.1:${port}`,
    asked,
    truncates: false,
    set: (name, behaviour) => void names.set(name, behaviour),
    setType: (name, type, behaviour) => void names.set(`${type} ${name}`, behaviour),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<unknown>((resolve) => tcp.close(resolve)),
      ]);
    },
  };
  const behaviourOf = ({ type, name }: Question) =>
    names.get(`${type} ${name}`) ?? names.get(name) ?? 'nxdomain';
  udp.on('message', (message, from) => {
    const question = readQuestion(message);
    asked.push(`${question.type} ${question.name}`);
    const behaviour = behaviourOf(question);
    if (behaviour === 'silent') return;
    udp.send(answer(message, question, behaviour, server.truncates), from.port, from.address);
  });
  function serveTcp(socket: Socket): void {
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const length = bytes.readUInt16BE(0);
        const message = bytes.subarray(2, 2 + length);
        bytes = bytes.subarray(2 + length);
        const question = readQuestion(message);
        asked.push(`${question.type} ${question.name} tcp`);
        const behaviour = behaviourOf(question);
        if (behaviour === 'silent') continue;
        const reply = answer(message, question, behaviour, false);
        const prefix = Buffer.alloc(2);
        prefix.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([prefix, reply]));
      }
    });
  }
  return server;
}

interface Question {
  readonly name: string;
  readonly type: DnsType | '?';
  /** As it came. */
  readonly bytes: Buffer;
}

function readQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = HEAD_BYTES;
  for (let length = message[at]!; length !== 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = TYPES[message.readUInt16BE(at + 1)] ?? '?';
  return { name: labels.join('.').toLowerCase(), type, bytes: message.subarray(HEAD_BYTES, at + 5) };
}

function answer(
  message: Buffer,
  { type, bytes }: Question,
  behaviour: Exclude<DnsBehaviour, 'silent'>,
  isCut: boolean,
): Buffer {
  const records = typeof behaviour === 'string' || isCut ? [] : recordsOf(behaviour, type);
  const rcode = typeof behaviour === 'string' ? RCODES[behaviour] : 0;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(message.readUInt16BE(0), 0);
  // QR, AA, RD as it came, RA; TC where the answer is cut.
  head[2] = 0x84 | (message[2]! & 1) | (isCut ? 2 : 0);
  head[3] = 0x80 | rcode;
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, bytes, ...records]);
}

function recordsOf(
  { a = [], aaaa = [], srv = [], ttlSeconds = 60 }: DnsRecords,
  type: Question['type'],
): Buffer[] {
  switch (type) {
    case 'A':
      return a.map((ip) => record(1, ttlSeconds, Buffer.from(ip.split('.').map(Number))));
    case 'AAAA':
      return aaaa.map((ip) => record(28, ttlSeconds, groupsOf(ip)));
    case 'SRV':
      return srv.map(({ priority = 0, weight = 0, port, target }) => {
        const fixed = Buffer.alloc(6);
        fixed.writeUInt16BE(priority, 0);
        fixed.writeUInt16BE(weight, 2);
        fixed.writeUInt16BE(port, 4);
        return record(33, ttlSeconds, Buffer.concat([fixed, nameOf(target)]));
      });
    default:
      return [];
  }
}

function record(type: number, ttlSeconds: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  // The name is that of the question.
  head.writeUInt16BE(0xc000 | HEAD_BYTES, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function groupsOf(ip: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, group] of ip.split(':').entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}

function nameOf(target: string): Buffer {
  const labels = target.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ]);
}
