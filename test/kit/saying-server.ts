// A server in the test's own process that says which version it runs, and becomes another one at a word: as if its process had been
// restarted in no time, it closes every connection when it does. Slower and truer: restarted-server.ts.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from './wait-for.ts';

export interface SayingServer {
  readonly name: string;
  /** host:port */
  readonly address: string;
  readonly url: string;
  /** Paths that were asked for, health checks left out. */
  readonly asked: readonly string[];
  /** Null: it says nothing. */
  becomes(version: string | null): void;
  /** Listens no more. */
  goesDown(): Promise<void>;
  comesUp(version: string): Promise<void>;
  /** Requests to /held that wait; `release` answers them. /sse is an event stream that says the server's name. */
  readonly held: () => number;
  release(): void;
}

export async function sayingServer(name: string, version: string | null): Promise<SayingServer> {
  let says = version;
  const asked: string[] = [];
  const held: (() => void)[] = [];
  const server: Server = createServer((request, response) => {
    request.resume();
    if (says !== null) response.setHeader('x-app-version', says);
    if (request.url === '/healthz') return void response.end('{}');
    asked.push(request.url!);
    if (request.url === '/sse') {
      response.setHeader('content-type', 'text/event-stream');
      return void response.write(`data: ${name}\n\n`);
    }
    const isPage = request.url === '/';
    response.setHeader('content-type', isPage ? 'text/html' : 'application/json');
    const page = `<html data-version="${says}"></html>`;
    const end = () => void response.end(isPage ? page : JSON.stringify({ version: says, name }));
    if (request.url === '/held') held.push(end);
    else end();
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    name,
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    asked,
    becomes: (next) => {
      says = next;
      server.closeAllConnections();
    },
    goesDown: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    comesUp: async (next) => {
      says = next;
      await listen(port);
    },
    held: () => held.length,
    release: () => {
      for (const end of held.splice(0)) end();
    },
  };
}

/** Takes down what is up of them. */
export async function stopServers(servers: readonly SayingServer[]): Promise<void> {
  for (const server of servers) {
    server.release();
    await waitFor(() => server.goesDown().then(() => true), { what: `${server.name} to end` });
  }
}
