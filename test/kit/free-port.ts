// Ports for things that must be told one in a file (HAProxy, a gateway that is started again on the same port).
// Only for those: whatever can bind port 0 itself does so, because a free port may be taken before it is used. These are
// below the ones that the kernel gives to whoever wants any (ip_local_port_range, from 32768 on): nobody gets them by chance
// while what they are for is started, or started again.

import { createServer } from 'node:net';

const FIRST = 20_000;
const COUNT = 12_000;

/** By this process, so that scenes beside each other are given different ones. */
const given = new Set<number>();

/** `count` different ports that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

export async function freePort(): Promise<number> {
  for (;;) {
    if (given.size > COUNT / 2) given.clear();
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    given.add(port);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
