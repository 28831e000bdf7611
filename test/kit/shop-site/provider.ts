// The other site: it signs people in and takes their money. It comes back as such providers do: from a sign-in by a
// redirect, from a payment by a form that posts itself across sites. Its front page is a link to the shop.
//
//   GET /authorize?back=PATH  302 to the shop           GET /pay?back=PATH  a page that posts to the shop at once
//   GET /embedding            the shop in a frame       GET /               a link to the shop

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Provider {
  readonly port: number;
  stop(): Promise<void>;
}

/** `shop` is the shop's origin as browsers know it. */
export async function startProvider(shop: () => string): Promise<Provider> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://provider');
    const back = `${shop()}${url.searchParams.get('back') ?? '/'}`;
    const build = url.searchParams.get('page-build') ?? '';
    if (url.pathname === '/authorize') {
      response.statusCode = 302;
      response.setHeader('location', `${back}?page-build=${build}`);
      response.end();
      return;
    }
    if (url.pathname === '/pay') return sendPage(response, postingPage(back, build));
    if (url.pathname === '/embedding') {
      return sendPage(response, `<iframe title="Shop" src="${shop()}/frame"></iframe>`);
    }
    return sendPage(response, `<a id="shop" href="${shop()}/products">To the shop</a>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function postingPage(back: string, build: string): string {
  return `<form method="post" action="${back}"><input type="hidden" name="page-build" value="${build}">
<input type="hidden" name="paid" value="yes"></form><script>document.forms[0].submit()</script>`;
}

function sendPage(response: ServerResponse, body: string): void {
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.end(
    `<!doctype html><title>Provider</title><link rel="icon" href="data:,"><h1>Provider</h1>${body}`,
  );
}
