// Style and script of a version of the sample shop, under names that carry a hash of their content. Browsers may keep
// them for ever, and the servers of the other version do not have them.

import { createHash } from 'node:crypto';
import type { Edition } from './editions.ts';

export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly content: string;
}

export interface ShopAssets {
  readonly style: Asset;
  readonly script: Asset;
}

export function assetsOf(edition: Edition): ShopAssets {
  return {
    style: asset('css', 'text/css; charset=utf-8', styleOf(edition)),
    script: asset('js', 'text/javascript; charset=utf-8', edition.script + SCRIPT),
  };
}

function asset(extension: string, contentType: string, content: string): Asset {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
  return { path: `/assets/app-${hash}.${extension}`, contentType, content };
}

function styleOf({ colours: { accent, tint } }: Edition): string {
  return `
:root { --accent: ${accent}; --tint: ${tint}; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c1917; background: var(--tint); }
header { background: var(--accent); color: #fff; padding: 1rem 1.5rem; display: flex; flex-wrap: wrap; gap: 0 1.5rem; align-items: baseline; }
header a { color: inherit; }
header .name { font-size: 1.5rem; font-weight: 700; text-decoration: none; }
header .version { margin-left: auto; font-variant-numeric: tabular-nums; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem; display: grid; gap: 1.5rem; }
.goods { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); padding: 0; margin: 0; list-style: none; }
.goods li, section { background: #fff; border: 1px solid #d6d3d1; border-radius: .5rem; padding: 1rem; }
h1, h2 { line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; }
main a { color: var(--accent); }
button { font: inherit; padding: .4rem .9rem; border: 0; border-radius: .3rem; background: var(--accent); color: #fff; cursor: pointer; }
:focus-visible { outline: 3px solid #111; outline-offset: 2px; }
#notice { border: 2px solid #b91c1c; color: #7f1d1d; font-weight: 600; }
#notice:empty { display: none; }
#answers { font: .85rem/1.6 ui-monospace, monospace; margin: 0; padding-left: 1.5rem; }
#answers .other { color: #b91c1c; font-weight: 700; }
`;
}

// Reads the names of its version's fields through orderOf, cartOf and stockOf, which stand before it.
const SCRIPT = `
const page = document.documentElement.dataset;
const byId = (id) => document.getElementById(id);

function notice(text) { byId('notice').textContent = text; }

function note(what, version, upstream) {
  const row = document.createElement('li');
  const isOther = version !== page.version;
  row.className = isOther ? 'other' : '';
  row.textContent = new Date().toLocaleTimeString() + '  ' + what + ' — answered by ' + version + ' (' + upstream + ')' +
    (isOther ? ', but this page is ' + page.version : '');
  byId('answers').prepend(row);
  while (byId('answers').children.length > 12) byId('answers').lastChild.remove();
}

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { 'content-type': 'application/json' } : {},
    ...(body && { body: JSON.stringify(body) }),
  });
  note(method + ' ' + path, answer.headers.get('x-app-version') || 'the gateway', answer.headers.get('x-app-upstream') || answer.status);
  const update = answer.headers.get('x-lockstep-update');
  if (update) byId('update').textContent = 'A new version (' + update + ') is there; this page goes on with ' + page.version + '.';
  if (answer.headers.get('x-lockstep-reload')) { notice('This version is no longer served. Reload the page to get the current one.'); return null; }
  if (!answer.ok) { notice('The shop answered ' + answer.status + ': ' + (await answer.text()).slice(0, 200)); return null; }
  return answer.json();
}

function showCart(answer) {
  if (!answer) return;
  const cart = cartOf(answer);
  byId('cart').textContent = cart.rows.length ? cart.rows.join(', ') + '. Total: € ' + cart.total : 'Your cart is empty.';
}

function showStock(answer) {
  for (const [id, left] of stockOf(answer)) {
    for (const place of document.querySelectorAll('[data-stock="' + id + '"]')) place.textContent = left + ' in stock';
  }
}

function guarded(work) {
  return Promise.resolve().then(work).catch((error) => notice('This page (' + page.version + ') does not understand the answer: ' + error.message));
}

const refresh = () => guarded(async () => showCart(await call('GET', '/api/cart')));

document.addEventListener('submit', (event) => {
  const order = event.target.dataset.order;
  if (!order) return;
  event.preventDefault();
  guarded(async () => showCart(await call('POST', '/api/cart', orderOf(order, 1))));
});

const stream = new EventSource('/events');
stream.addEventListener('hello', (event) => {
  const { version, upstream } = JSON.parse(event.data);
  note('event stream', version, upstream);
});
stream.addEventListener('stock', (event) => guarded(() => showStock(JSON.parse(event.data))));

function look() {
  const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/ws');
  socket.addEventListener('message', (event) => {
    const { version, upstream, looking, isFirst } = JSON.parse(event.data);
    if (isFirst) note('WebSocket', version, upstream);
    byId('looking').textContent = looking === 1 ? 'You are alone on this server.' : looking + ' pages are open on this server.';
  });
  socket.addEventListener('close', () => setTimeout(look, 2000));
}

look();
refresh();
setInterval(refresh, 5000);
`;
