// A process of its own for what http-proxy says on stderr: one request, one WebSocket handshake, the end.

import util from 'node:util';
import { HttpProxyEngine } from '../../src/engine/http-proxy-engine.ts';
import { startScene } from '../contract/scene.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startRawUpstream } from '../kit/raw-upstream.ts';

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

const upstream = await startRawUpstream(() => ({
  onBytes: ({ socket, received }) => {
    const isHandshake = received().includes('websocket');
    socket.write(
      isHandshake ? SWITCHING : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    );
  },
}));
const scene = await startScene(
  { name: 'http-proxy', create: (options, ports) => new HttpProxyEngine(options, ports) },
  { versions: { v1: [upstream.address] } },
);
const statuses: number[] = [];
for (const lines of ['', 'Connection: Upgrade\r\nUpgrade: websocket\r\n']) {
  const client = await rawClient(scene);
  await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
  statuses.push((await client.answer()).status);
  client.close();
}
await scene.stop();
await upstream.stop();
// Left as it was found, for whoever else asks for it.
const isLent = Object.getOwnPropertyDescriptor(util, '_extend')?.value === Object.assign;
process.stdout.write(`${statuses.join(' ')}, still lent: ${isLent}\n`);
