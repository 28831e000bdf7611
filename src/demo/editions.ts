// How the two versions of the sample shop differ: name, colours, and the API between their pages and their servers.
// The API changed on purpose as APIs do: a page of one version cannot use the answers of the other, nor the other way
// round. That is what breaks in a deployment without Lockstep.

import type { CartLine, Warehouse } from './warehouse.ts';

export interface Order {
  readonly id: string;
  readonly quantity: number;
}

export interface Edition {
  readonly title: string;
  readonly tagline: string;
  readonly colours: { readonly accent: string; readonly tint: string };
  /** Names of the fields of an order, in JSON and in forms. */
  readonly fields: { readonly id: string; readonly quantity: string };
  cart(lines: readonly CartLine[]): object;
  stock(levels: ReturnType<Warehouse['stock']>): object;
  /** The same knowledge in the page: JavaScript that defines orderOf, cartOf and stockOf. */
  readonly script: string;
}

const FIRST: Edition = {
  title: 'Harbour Supplies',
  tagline: 'Plain goods since 1.0',
  colours: { accent: '#1d4ed8', tint: '#eff6ff' },
  fields: { id: 'id', quantity: 'quantity' },
  cart: (lines) => ({
    items: lines.map(({ product, quantity }) => ({
      id: product.id,
      name: product.name,
      quantity,
      price: product.cents / 100,
    })),
    total: totalCents(lines) / 100,
  }),
  stock: (levels) => ({ stock: Object.fromEntries(levels.map(({ id, left }) => [id, left])) }),
  script: `
const orderOf = (id, quantity) => ({ id, quantity });
const cartOf = (answer) => ({
  rows: answer.items.map((item) => item.quantity + ' × ' + item.name),
  total: answer.total.toFixed(2),
});
const stockOf = (answer) => Object.entries(answer.stock);
`,
};

const SECOND: Edition = {
  title: 'Harbour & Co.',
  tagline: 'The second edition',
  colours: { accent: '#9a3412', tint: '#fff7ed' },
  fields: { id: 'sku', quantity: 'qty' },
  cart: (lines) => ({
    lines: lines.map(({ product, quantity }) => ({
      sku: product.id,
      title: product.name,
      qty: quantity,
      cents: product.cents,
    })),
    totalCents: totalCents(lines),
  }),
  stock: (levels) => ({ levels: levels.map(({ id, left }) => ({ sku: id, left })) }),
  script: `
const orderOf = (id, quantity) => ({ sku: id, qty: quantity });
const cartOf = (answer) => ({
  rows: answer.lines.map((line) => line.title + ' (' + line.qty + ')'),
  total: (answer.totalCents / 100).toFixed(2),
});
const stockOf = (answer) => answer.levels.map((level) => [level.sku, level.left]);
`,
};

/** By the last digit of the version: odd ones are like v1, even ones like v2. */
export function editionOf(version: string): Edition {
  const digit = /(\d)\D*$/.exec(version)?.[1];
  return digit !== undefined && Number(digit) % 2 === 0 ? SECOND : FIRST;
}

/** Null for an order of another version's page: its fields have other names. */
export function readOrder(edition: Edition, fields: Readonly<Record<string, unknown>>): Order | null {
  const id = fields[edition.fields.id];
  const quantity = Number(fields[edition.fields.quantity]);
  return typeof id === 'string' && Number.isInteger(quantity) ? { id, quantity } : null;
}

function totalCents(lines: readonly CartLine[]): number {
  return lines.reduce((sum, { product, quantity }) => sum + product.cents * quantity, 0);
}
