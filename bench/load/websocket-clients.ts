// Many WebSockets, each of which sends a message, waits for its echo, and sends the next. Its command line is one JSON
// text; the last line that it prints says how many echoes came, and how many were not what was sent. Its sockets stay open
// until its input ends: closing them is no part of an echo.

import WebSocket from 'ws';

export interface SocketsAsked {
  readonly port: number;
  readonly sockets: number;
  readonly seconds: number;
  readonly cookies: readonly string[];
}

export interface SocketsSeen {
  readonly messages: number;
  readonly wrong: number;
  /** Sockets that failed or closed before the end. */
  readonly lost: number;
}

const asked = JSON.parse(process.argv[2]!) as SocketsAsked;
const message = Buffer.alloc(100, 'a message of one hundred bytes. ');
let messages = 0;
let wrong = 0;
let lost = 0;
let isOver = false;

const sockets = Array.from({ length: asked.sockets }, (_, index) => {
  const cookie = asked.cookies[index % asked.cookies.length]!;
  return new WebSocket(`ws://127.0.0.1:${asked.port}/echo`, {
    headers: { cookie },
    perMessageDeflate: false,
  });
});
await Promise.all(
  sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        socket.once('open', resolve);
        socket.once('error', () => resolve());
        socket.once('close', () => {
          if (!isOver) lost++;
          resolve();
        });
      }),
  ),
);
// The measuring starts when all of them are open; who measures reads this line.
process.stdout.write('open\n');
for (const socket of sockets) {
  socket.on('message', (data: Buffer) => {
    messages++;
    if (!data.equals(message)) wrong++;
    if (!isOver) socket.send(message);
  });
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
setTimeout(() => {
  isOver = true;
  const seen: SocketsSeen = { messages, wrong, lost };
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  process.stdin.once('end', () => process.exit(0)).resume();
}, asked.seconds * 1_000);
