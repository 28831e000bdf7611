// Pages with the gateway's script (/.lockstep/client.js) as browsers meet them: two versions of a site behind a gateway, and
// another site that notes what it is asked for. Every document, whatever its path, is a page of its version with that
// script before its own; paths say what else there is:
//
//   /form      fields of several kinds, and a button that posts them to /posted
//   /cached    fresh for ten minutes
//   /strict    a Content-Security-Policy that allows scripts and requests of its own origin, and nothing else
//   /twice     with the script two times; /bare: without; /saying-v1: its tag says v1
//   /excepting its tag leaves out /api/left and /api/alone
//   /always-v1 says that it is of v1, whoever serves it, as pages of a service worker might
//   /away      303 to the other site, which takes simple cross-origin requests alone

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestBrowser } from './chromium.ts';
import type { GatewaySettings } from './gateway-config.ts';
import type { Tab } from './tab.ts';
import { startTwoVersions, type TwoVersions } from './two-versions.ts';
import type { Upstream } from './upstream.ts';
import { waitFor } from './wait-for.ts';

export interface ClientScene {
  readonly v1: Upstream;
  readonly v2: Upstream;
  readonly gateway: TwoVersions['gateway'];
  /** Of the other site: `METHOD /path` and the fields of each request. */
  readonly elsewhere: readonly { readonly line: string; readonly headers: IncomingMessage['headers'] }[];
  at(path: string): string;
  /** On the other site. */
  beyond(path: string): string;
  openTab(path: string): Promise<Tab>;
  /** A tab on a page of v1 in a browser whose pin is of v2 by now: what is not marked goes there. */
  openOldTab(path: string): Promise<Tab>;
  /** v2 takes new sessions. */
  promote(): Promise<void>;
  /** v1 answers its pages no more. */
  end(): Promise<void>;
  stop(): Promise<void>;
}

export async function startClientScene(
  browser: TestBrowser,
  settings: GatewaySettings = {},
): Promise<ClientScene> {
  const elsewhere: { line: string; headers: IncomingMessage['headers'] }[] = [];
  const other = createServer((request, response) => {
    elsewhere.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    response.setHeader('access-control-allow-origin', '*');
    response.end(request.method === 'OPTIONS' ? '' : 'from elsewhere');
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const beyond = (path: string): string =>
    `http://other.localhost:${(other.address() as AddressInfo).port}${path}`;
  const versions = await startTwoVersions(settings, (request, response) => serve(request, response, beyond));
  const { v1, v2, gateway } = versions;
  const at = (path: string): string => `http://shop.localhost:${gateway.port}${path}`;
  const openTab = (path: string): Promise<Tab> => browser.openTab(at(path));
  const promote = async (): Promise<void> => {
    await waitFor(() => gateway.admin.promote('v2'), { what: 'v2 to be promoted' });
  };
  return {
    v1,
    v2,
    gateway,
    elsewhere,
    at,
    beyond,
    openTab,
    openOldTab: async (path) => {
      const tab = await openTab(path);
      await promote();
      await browser.context.clearCookies();
      const newer = await openTab('/bare');
      if (newer.version() !== 'v2') throw new Error(`a new session got ${newer.version()}`);
      await newer.page.close();
      return tab;
    },
    promote,
    end: async () => {
      await gateway.admin.cutoff('v1', 'the test ends it');
    },
    stop: async () => {
      const tabs = browser.tabs.filter(({ page }) => !page.isClosed());
      await Promise.all(tabs.map(({ page }) => page.close()));
      await browser.context.clearCookies();
      await versions.stop();
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    },
  };
}

const CLIENT = '<script src="/.lockstep/client.js"></script>';

function tagsOf(path: string): string {
  switch (path) {
    case '/bare':
      return '';
    case '/twice':
      return CLIENT + CLIENT;
    case '/excepting':
      return CLIENT.replace('><', ' data-except="^/api/(left|alone)"><');
    case '/saying-v1':
      return CLIENT.replace('><', ' data-version="v1"><');
    default:
      return CLIENT;
  }
}

const FORM = `<form method="post" action="/posted">
<input id="text"> <input id="tick" type="checkbox"> <textarea id="area"></textarea>
<select id="choice"><option>one<option>two</select> <div id="rich" contenteditable></div> <input id="file" type="file">
<button id="send">Send</button></form>`;

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  beyond: (path: string) => string,
): boolean {
  const { pathname } = new URL(request.url ?? '/', 'http://site');
  if (/^\/(api|assets|healthz|sse|echo|slow|hang|bytes)/.test(pathname)) return false;
  if (pathname === '/away') {
    response.writeHead(303, { location: beyond('/landed') }).end();
    return true;
  }
  const cached = pathname === '/cached' ? 'max-age=600' : 'no-cache';
  response.setHeader('cache-control', cached);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  if (pathname === '/strict') {
    response.setHeader(
      'content-security-policy',
      "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:",
    );
  }
  if (pathname === '/always-v1') response.setHeader('server-timing', 'lockstep;desc="v1"');
  request.resume();
  const version = String(response.getHeader('x-app-version'));
  response.end(`<!doctype html><html data-version="${version}"><head><title>${version}</title>
<link rel="icon" href="data:,">${tagsOf(pathname)}</head>
<body><a id="next" href="/next">next</a>${pathname === '/form' ? FORM : ''}</body></html>`);
  return true;
}
