// A folder of a static single-page build as any web server would serve it (nginx's usual lines for Vite): hashed assets are
// immutable, the page is asked for each time, what is not there is 404. `/api/build` says which build this is.

import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

export interface StaticSite {
  readonly url: string;
  /** Targets asked for so far. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

export async function startStaticSite(folder: string, build: string): Promise<StaticSite> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const target = request.url ?? '/';
    asked.push(target);
    void answer(target, folder, build, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  target: string,
  folder: string,
  build: string,
  response: ServerResponse,
): Promise<void> {
  const path = normalize(new URL(target, 'http://site').pathname);
  if (path === '/api/build') {
    const head = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    response.writeHead(200, head).end(JSON.stringify({ build }));
    return;
  }
  const file = path === '/' ? '/index.html' : path;
  const bytes = await readFile(join(folder, file)).catch(() => null);
  if (bytes === null) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not here');
    return;
  }
  const isHashed = file.startsWith('/assets/');
  response
    .writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    })
    .end(bytes);
}
