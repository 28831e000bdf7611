// A WebSocket server that sends back what it gets, on each port of its command line.

import { WebSocketServer } from 'ws';

for (const port of process.argv.slice(2)) {
  const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => socket.terminate());
  });
}
