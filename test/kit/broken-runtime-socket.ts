// What answers like a runtime socket should not: listens on a UNIX socket and does with each line what a test says. It can
// stand before a real one and pass lines on to it.

import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { askSocket } from './driven-haproxy.ts';
import { temporaryFolder } from './gateway-config.ts';

export type LineHandler = (line: string, socket: Socket) => void;

export interface BrokenRuntimeSocket {
  readonly socket: string;
  /** That came so far. */
  readonly lines: readonly string[];
  /** From now on. */
  handle(by: LineHandler): void;
  /** As when nobody listens there. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

export async function startBrokenRuntimeSocket(first: LineHandler): Promise<BrokenRuntimeSocket> {
  const folder = await temporaryFolder('broken');
  const path = join(folder.path, 'admin.sock');
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  let by = first;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.setEncoding('utf8');
    socket.once('data', (line: string) => {
      lines.push(line.trim());
      by(line.trim(), socket);
    });
  });
  const comeBack = () => new Promise<void>((resolve) => server.listen(path, resolve));
  const leave = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  await comeBack();
  return {
    socket: path,
    lines,
    handle: (next) => {
      by = next;
    },
    leave,
    comeBack,
    stop: async () => {
      await leave();
      await folder.remove();
    },
  };
}

/** As the real one behind `path` does. */
export function passOn(path: string): LineHandler {
  return (line, socket) => {
    askSocket(path, line).then(
      (answer) => socket.end(answer),
      () => socket.destroy(),
    );
  };
}
