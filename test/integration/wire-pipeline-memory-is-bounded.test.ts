// T12, P8: a client that pipelines without end is neither read nor answered ahead without bound, whether it reads its
// answers or not.

import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { rawClient } from '../kit/raw-client.ts';
import { type RawUpstream, startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** What the kernel holds for both ends of a connection, and some. */
const KERNEL_BYTES = 24_000_000;
const ANSWER_BYTES = 60_000;
/** In a process of its own, so that it keeps sending while the gateway works; tells how far it is ahead of its answers. */
const CLIENT = `
const { connect } = require('node:net');
const request = 'GET /small HTTP/1.1\\r\\nHost:a\\r\\n\\r\\n';
const block = Buffer.from(request.repeat(40000));
const socket = connect(Number(process.argv[1]), '127.0.0.1');
let answers = 0;
socket.on('data', (data) => {
  answers += data.toString('latin1').split('HTTP/1.1 200').length - 1;
  process.stdout.write(answers + ' ' + (socket.bytesWritten - socket.writableLength - answers * request.length) + '\\n');
});
const more = () => { while (socket.write(block)); };
socket.on('drain', more);
more();
`;

describe('T12: a client that pipelines without end', () => {
  let upstream: RawUpstream;
  let gateway: TestGateway;
  let asked = 0;
  beforeAll(async () => {
    upstream = await startRawUpstream(() => ({
      onBytes: ({ socket, received }) => {
        asked++;
        const length = received().includes('GET /small ') ? 2 : ANSWER_BYTES;
        const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nContent-Length: ${length}\r\n\r\n`;
        // Not in the same turn: the gateway gets to read what the client sends meanwhile.
        setTimeout(() => socket.write(head + 'x'.repeat(length)), 1);
      },
    }));
    gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1' });
  });
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.stop();
  });

  test('is read no faster than it is answered', async () => {
    const client = spawn(process.execPath, ['-e', CLIENT, String(gateway.port)]);
    let answers = 0;
    let ahead = 0;
    client.stdout.on('data', (data: Buffer) => {
      const lines = data.toString().trim().split('\n');
      [answers, ahead] = lines.at(-1)!.split(' ').map(Number) as [number, number];
    });
    await waitFor(() => answers > 500 || ahead > KERNEL_BYTES, { what: '500 answers', timeoutMs: 30_000 });
    expect(ahead).toBeLessThan(KERNEL_BYTES);
    client.kill('SIGKILL');
  });

  test('and reads nothing is soon answered no more', async () => {
    const client = await rawClient(gateway);
    client.socket.pause();
    asked = 0;
    await client.send('GET /large HTTP/1.1\r\nHost:a\r\n\r\n'.repeat(2_000));
    // The end of it is that no further request goes up.
    let before = -1;
    await waitFor(
      () => {
        const isStill = asked === before && asked > 0;
        before = asked;
        return isStill;
      },
      { what: 'the gateway to stop asking', timeoutMs: 30_000, everyMs: 300 },
    );
    expect(asked * ANSWER_BYTES).toBeLessThan(KERNEL_BYTES);
    client.reset();
  });
});
