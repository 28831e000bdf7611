// What runs on the other machine of own-network.ts, as a program:
//   node test/kit/far-peers.ts clients HOST PORT    one connection for each kind of request; says "ready" when all are under way
//   node test/kit/far-peers.ts upstream PORT        answers /half with half a body and /ok whole; says "ready"

import { connect, createServer } from 'node:net';

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** What each sends, and whether it waits for something to come back. */
const CLIENTS = [
  { sends: 'GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n', waits: true }, // then idle
  { sends: 'GET /api/x HTTP/1.1\r\nHo', waits: false },
  { sends: 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf', waits: false },
  { sends: 'GET /bytes?n=500000000 HTTP/1.1\r\nHost: a\r\n\r\n', waits: true },
  { sends: HANDSHAKE, waits: true },
  { sends: 'GET /sse HTTP/1.1\r\nHost: a\r\n\r\n', waits: true },
] as const;

async function clients(host: string, port: number): Promise<void> {
  await Promise.all(
    CLIENTS.map(
      ({ sends, waits }) =>
        new Promise<void>((resolve, reject) => {
          const socket = connect({ host, port });
          socket.on('error', reject);
          socket.write(sends, () => !waits && resolve());
          socket.once('data', () => resolve());
        }),
    ),
  );
}

async function upstream(port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const whole = data.includes('/ok ');
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${whole ? 4 : 8}\r\n\r\nhalf`);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve));
}

if (import.meta.main) {
  const [what, ...rest] = process.argv.slice(2);
  await (what === 'clients' ? clients(rest[0]!, Number(rest[1])) : upstream(Number(rest[0])));
  process.stdout.write('ready\n');
  setInterval(() => {}, 60_000);
}
