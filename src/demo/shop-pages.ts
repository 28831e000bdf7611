// The documents of the sample shop. They work without JavaScript; with it, the cart is filled by AJAX, stock is live,
// and a list tells which version answered each call. Nothing comes from elsewhere.

import type { Edition } from './editions.ts';
import type { ShopAssets } from './shop-assets.ts';
import { type CartLine, PRODUCTS, type Product } from './warehouse.ts';

export interface PageContext {
  readonly version: string;
  readonly upstream: string;
  readonly edition: Edition;
  readonly assets: ShopAssets;
}

export function homePage(context: PageContext): string {
  const items = PRODUCTS.map(
    (product) => `<li><h2><a href="/product/${product.id}">${escapeHtml(product.name)}</a></h2>
${offer(context, product)}</li>`,
  );
  return page(context, 'Products', `<h1>Products</h1>\n<ul class="goods">\n${items.join('\n')}\n</ul>`);
}

export function productPage(context: PageContext, product: Product): string {
  const body = `<section><h1>${escapeHtml(product.name)}</h1>
<p>${escapeHtml(product.about)}</p>
${offer(context, product)}</section>
<p><a href="/">All products</a></p>`;
  return page(context, product.name, body);
}

export function cartPage(context: PageContext, lines: readonly CartLine[]): string {
  const rows = lines.map(({ product, quantity }) => `<li>${quantity} × ${escapeHtml(product.name)}</li>`);
  const list = rows.length === 0 ? '<p>There is nothing in it.</p>' : `<ul>${rows.join('')}</ul>`;
  return page(
    context,
    'Cart',
    `<section><h1>Cart</h1>${list}</section>\n<p><a href="/">All products</a></p>`,
  );
}

export function missingPage(context: PageContext): string {
  return page(context, 'Not found', '<h1>Not found</h1>\n<p><a href="/">All products</a></p>');
}

function offer({ edition: { fields } }: PageContext, product: Product): string {
  return `<p>€ ${(product.cents / 100).toFixed(2)} · <span data-stock="${product.id}" aria-live="off"></span></p>
<form method="post" action="/cart" data-order="${product.id}">
<input type="hidden" name="${fields.id}" value="${product.id}"><input type="hidden" name="${fields.quantity}" value="1">
<button type="submit">Add ${escapeHtml(product.name.toLowerCase())} to cart</button></form>`;
}

function page({ version, upstream, edition, assets }: PageContext, title: string, body: string): string {
  const [v, u] = [escapeHtml(version), escapeHtml(upstream)];
  const name = escapeHtml(edition.title);
  return `<!doctype html>
<html lang="en" data-version="${v}" data-upstream="${u}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · ${name} ${v}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${assets.style.path}">
<script src="/.lockstep/client.js"></script>
<script defer src="${assets.script.path}"></script>
</head>
<body>
<header><a class="name" href="/">${name}</a><span>${escapeHtml(edition.tagline)}</span>
<a href="/cart">Cart</a><span class="version">version <strong>${v}</strong>, page by ${u}</span></header>
<main>
<section id="notice" role="alert"></section>
${body}
<section aria-labelledby="cart-title"><h2 id="cart-title">Your cart, by AJAX</h2>
<p id="cart" aria-live="polite"></p></section>
<section aria-labelledby="answers-title"><h2 id="answers-title">Who answered this page’s calls</h2>
<p id="update" aria-live="polite"></p><p id="looking"></p><ol id="answers"></ol></section>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
