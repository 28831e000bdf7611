// Where the admin API listens: a TCP address, or a UNIX socket that nobody but its owner (and root) can open.
// Rules: the socket's file has mode 0600 from its first moment; one that a killed gateway left behind is removed, one
// that somebody listens on, or that is no socket, is not; closing removes it.

import { lstat, rm, stat } from 'node:fs/promises';
import { type AddressInfo, connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';

export type ListenAt =
  /** An address or name, IPv6 without brackets; port 0 is a free one. */
  | { readonly host: string; readonly port: number }
  /** Absolute path. */
  | { readonly socket: string };

export interface Listening {
  /** The real one: `http://host:port` or `unix:PATH`. */
  readonly url: string;
  /** Null for a socket. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Stops accepting; resolves when the last connection has ended. */
  close(): Promise<void>;
}

const OWNER_ONLY = 0o177;

/** Throws with a message for people when it cannot be had. */
export async function listenAt(app: FastifyInstance, at: ListenAt): Promise<Listening> {
  if ('socket' in at) {
    await app.ready();
    await makeRoom(at.socket);
    await bind(app.server, at.socket);
    outliveFailedAccepts(app.server);
    return { url: `unix:${at.socket}`, address: null, close: () => closeSocket(app) };
  }
  await app.listen(at);
  outliveFailedAccepts(app.server);
  const { address, port } = app.server.address() as AddressInfo;
  const host = address.includes(':') ? `[${address}]` : address;
  return { url: `http://${host}:${port}`, address: { host: address, port }, close: () => app.close() };
}

/** accept() failing for want of descriptors: an error that nobody hears would end the process. */
function outliveFailedAccepts(server: Server): void {
  server.on('error', () => {});
}

async function makeRoom(path: string): Promise<void> {
  const folder = dirname(path);
  // Binding would say EACCES (libuv).
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder)
    throw new Error(`admin.listen: there is no folder ${folder}; make it, or take another path.`);
  const there = await lstat(path).catch(() => null);
  if (there === null) return;
  if (!there.isSocket()) throw new Error(`admin.listen: ${path} is there and is no socket.`);
  if (await isAnswered(path)) throw new Error(`admin.listen: somebody listens on ${path} already.`);
  await rm(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => end(true));
    // Only this says that nobody is there: one whose queue is full, or that is another user's, is somebody's.
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code !== 'ECONNREFUSED'));
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The file is made before listen() returns: the mask holds for it alone.
    const mask = process.umask(OWNER_ONLY);
    try {
      server.listen({ path }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** Fastify closes only what it has bound itself. */
async function closeSocket(app: FastifyInstance): Promise<void> {
  const ended = new Promise<void>((resolve) => app.server.close(() => resolve()));
  app.server.closeIdleConnections();
  await app.close();
  await ended;
}
