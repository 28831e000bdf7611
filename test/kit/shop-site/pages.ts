// The documents of the shop. Each says its build in `data-build`; forms, frames and downloads carry it along as
// `page-build`, so that the server knows what page asked.

import { PRODUCTS } from '../../../src/demo/warehouse.ts';
import type { Build } from './build.ts';

export interface PageContext {
  readonly build: Build;
  /** With the gateway's script. */
  readonly hasClient: boolean;
  readonly lines: readonly string[];
}

interface Parts {
  readonly title: string;
  readonly body: string;
  readonly head?: string;
  /** Of the html element. */
  readonly attributes?: string;
}

/** By path. */
export const PAGES: Readonly<Record<string, (context: PageContext) => Parts>> = {
  '/': () => ({ title: 'Products', body: goods() }),
  '/products': () => ({ title: 'All products', body: goods() }),
  '/live': () => ({ title: 'Live', body: goods(), attributes: 'data-live="both"' }),
  '/live-restarting': () => ({
    title: 'Live',
    body: goods(),
    attributes: 'data-live="both" data-on-restart="reload"',
  }),
  /** It reloads itself before its version ends. */
  '/live-leaving': () => ({
    title: 'Live',
    body: goods(),
    attributes: 'data-live="both" data-leaves="2000"',
  }),
  '/talking': () => ({
    title: 'Talking',
    body: goods(),
    attributes: 'data-live="socket" data-on-restart="reload" data-updates="own"',
  }),
  /** Whatever it is told, it stays as it is. */
  '/staying': () => ({ title: 'Staying', body: goods(), attributes: 'data-updates="own"' }),
  '/profile': ({ build }) => ({ title: 'Profile', body: profileForm(build) }),
  '/cart': ({ lines }) => ({ title: 'Cart', body: `<p id="lines">${lines.join(', ') || 'nothing'}</p>` }),
  '/checkout': ({ build }) => ({ title: 'Checkout', body: checkoutForm(build) }),
  '/checkout/done': () => ({ title: 'Paid', body: '<p>Thank you.</p>' }),
  '/account': () => ({ title: 'Account', body: '<p>Signed in.</p>' }),
  '/framing': ({ build }) => ({
    title: 'Framing',
    body: `<iframe title="Advice" src="/frame?page-build=${build.id}"></iframe>`,
  }),
  '/frame': () => ({ title: 'Advice', body: '<p>Advice in a frame.</p>' }),
  '/speculating': () => ({ title: 'Speculating', body: goods(), head: SPECULATION }),
  '/going-ahead': () => ({ title: 'Going ahead', body: goods(), head: `${SPECULATION}\n${GO_AHEAD}` }),
  '/prefetched': () => ({ title: 'Prefetched', body: goods() }),
  '/prerendered': () => ({ title: 'Prerendered', body: goods() }),
  '/kept': () => ({ title: 'Kept for ten minutes', body: goods() }),
};

export function pageAt(path: string, context: PageContext): string {
  const make = PAGES[path];
  return make === undefined
    ? page(context, { title: 'Not found', body: '<p>There is no such page.</p>' })
    : page(context, make(context));
}

const SPECULATION = `<script type="speculationrules">
{ "prefetch": [{ "source": "list", "urls": ["/prefetched"], "eagerness": "immediate" }],
  "prerender": [{ "source": "list", "urls": ["/prerendered"], "eagerness": "immediate" }] }
</script>`;

/** Nobody clicks: as soon as the prerendered page has done its calls it is shown. */
const GO_AHEAD = `<script>
const look = setInterval(() => {
  if (localStorage.getItem('prerendered') === null) return;
  clearInterval(look);
  location.href = '/prerendered';
}, 50);
</script>`;

function goods(): string {
  const items = PRODUCTS.map(
    ({ id, name }) => `<li>${name} <button onclick="shop.addToCart('${id}')">Add</button></li>`,
  );
  return `<ul>${items.join('\n')}</ul>`;
}

function profileForm({ id }: Build): string {
  return `<form method="post" action="/profile"><input type="hidden" name="page-build" value="${id}">
<label>Name <input name="name"></label> <label>About <textarea name="about"></textarea></label>
<button id="save">Save</button></form>`;
}

function checkoutForm({ id }: Build): string {
  return `<form method="post" action="/checkout/pay"><input type="hidden" name="page-build" value="${id}">
<button id="pay">Pay</button></form>`;
}

function page({ build, hasClient }: PageContext, { title, body, head = '', attributes = '' }: Parts): string {
  return `<!doctype html>
<html lang="en" data-build="${build.id}" ${attributes}>
<head>
<meta charset="utf-8">
<title>${title} · ${build.id}</title>
<link rel="icon" href="data:,">
${hasClient ? '<script src="/.lockstep/client.js"></script>' : ''}
<link rel="stylesheet" href="${build.style.path}">
<script type="module" src="${build.app.path}"></script>
${head}
</head>
<body>
<header><img src="${build.logo.path}" alt=""><strong>Shop, build ${build.id}</strong>
${['/products', '/cart', '/profile', '/checkout', '/live'].map((path) => `<a href="${path}">${path.slice(1)}</a>`).join('\n')}
<a id="sign-in" href="/sign-in">sign in</a> <a id="download" href="/invoice?page-build=${build.id}">invoice</a></header>
<main>
<h1>${title}</h1>
${body}
<p>Cart: <span id="cart"></span></p>
<p><button data-part="details">Details</button> <button data-part="extras">Extras</button> <span id="part"></span></p>
<pre id="answers"></pre>
</main>
</body>
</html>
`;
}
