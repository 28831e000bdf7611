// T14: bodies of a hundred thousand chunks of one octet, up and down. Ten times as many chunks cost ten times the CPU time and
// no memory, they arrive whole, and the other side gets them joined where they came together. (1 GiB each way, in chunks and
// with a length: bodies.test.ts.)

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

const FEW = 100_000;
const MANY = 1_000_000;
/** Of tenfold work; one half more is the garbage collector's, and what the kernel counts by hundredths of a second. */
const FACTOR = 15;
const SLACK_MS = 150;
const GROWTH_BYTES = 64 * 1_024 * 1_024;
const EXTENSION = ';a="b"';

describe('T14: chunks of one octet', () => {
  let app: Upstream;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    app = await startUpstream({
      version: 'v1',
      handle: (request, response) => {
        const count = Number(/^\/chunks\?n=(\d+)$/.exec(request.url ?? '')?.[1]);
        if (!(count > 0)) return false;
        // Past node:http, which has no wish to send chunks so small.
        const socket = response.socket!;
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n');
        socket.end(`${'1\r\nx\r\n'.repeat(count)}0\r\n\r\n`);
        return true;
      },
    });
    gateway = await startGatewayProcess({ versions: { v1: [app.url] }, active: 'v1' });
  });
  afterAll(async () => {
    await gateway?.stop();
    await app?.stop();
  });

  const ways: readonly { way: string; ask: (count: number) => Promise<void> }[] = [
    { way: 'up', ask: (count) => upload(gateway, '1\r\nx\r\n', count) },
    { way: 'up, each with an extension', ask: (count) => upload(gateway, `1${EXTENSION}\r\nx\r\n`, count) },
    { way: 'down', ask: (count) => download(gateway, count) },
  ];
  test.each(ways)('$way cost linear CPU time and flat memory', async ({ way, ask }) => {
    await ask(FEW); // compiled
    const base = await gateway.process().residentBytes();
    const cost = async (count: number): Promise<number> => {
      const before = await cpuMs(gateway);
      await ask(count);
      return (await cpuMs(gateway)) - before;
    };
    const few = await cost(FEW);
    const many = await cost(MANY);
    const growth = (await gateway.process().residentBytes()) - base;
    process.stdout.write(
      `T14: ${way}: ${FEW} chunks ${few} ms, ${MANY} chunks ${many} ms of CPU, memory ${Math.round(growth / 1_024)} KiB\n`,
    );
    expect(many).toBeLessThan(FACTOR * few + SLACK_MS);
    expect(growth).toBeLessThan(GROWTH_BYTES);
  });

  test('in a packet each cost linear CPU time, too', async () => {
    const cost = async (count: number): Promise<number> => {
      const before = await cpuMs(gateway);
      const client = await rawClient(gateway);
      await client.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let n = 0; n < count; n++) await client.send('1\r\nx\r\n');
      await client.send('0\r\n\r\n');
      expect((await client.finalAnswer('POST', 30_000)).body.toString()).toBe(String(count));
      client.close();
      return (await cpuMs(gateway)) - before;
    };
    await cost(1_000);
    const few = await cost(2_000);
    const many = await cost(20_000);
    process.stdout.write(`T14: in packets: 2000 chunks ${few} ms, 20000 chunks ${many} ms of CPU\n`);
    expect(many).toBeLessThan(FACTOR * few + SLACK_MS);
  });
});

async function upload(gateway: GatewayProcess, chunk: string, count: number): Promise<void> {
  const client = await rawClient(gateway);
  await client.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  await client.send(chunk.repeat(count));
  await client.send('0\r\n\r\n');
  const answer = await client.finalAnswer('POST', 30_000);
  client.close();
  expect(answer.body.toString()).toBe(String(count));
}

async function download(gateway: GatewayProcess, count: number): Promise<void> {
  const client = await rawClient(gateway);
  await client.send(`GET /chunks?n=${count} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const { body } = await client.finalAnswer('GET', 30_000);
  client.close();
  expect([body.length, body.every((octet) => octet === 0x78)]).toEqual([count, true]);
}

/** User and system time of the gateway; the kernel counts in hundredths of a second. */
async function cpuMs(gateway: GatewayProcess): Promise<number> {
  const text = await readFile(`/proc/${gateway.process().pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
