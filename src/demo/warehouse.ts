// What both versions of the sample shop share, as a real shop's versions share a database: products, stock, carts.
// The versions differ in how they show it and in how their pages ask for it.

export interface Product {
  readonly id: string;
  readonly name: string;
  readonly about: string;
  readonly cents: number;
}

export interface CartLine {
  readonly product: Product;
  readonly quantity: number;
}

export const PRODUCTS: readonly Product[] = [
  { id: 'mug', name: 'Enamel mug', about: 'Keeps coffee warm during long deployments.', cents: 1_250 },
  { id: 'lamp', name: 'Desk lamp', about: 'Switches over without flickering.', cents: 4_900 },
  { id: 'notebook', name: 'Notebook', about: 'For the runbook that nobody needs any more.', cents: 890 },
  { id: 'pin', name: 'Enamel pin', about: 'Holds a session to its version.', cents: 450 },
];

/** A demo that runs for days stays small: the oldest carts go. */
const MOST_CARTS = 1_000;
const MOST_OF_ONE = 99;
const FULL_SHELF = 40;

export class Warehouse {
  readonly #carts = new Map<string, Map<string, number>>();
  readonly #stock = new Map<string, number>(PRODUCTS.map(({ id }) => [id, FULL_SHELF]));

  cart(owner: string): readonly CartLine[] {
    const cart = this.#carts.get(owner) ?? new Map<string, number>();
    return PRODUCTS.filter(({ id }) => cart.has(id)).map((product) => ({
      product,
      quantity: cart.get(product.id)!,
    }));
  }

  /** False when there is no such product, or not as many of it. */
  add(owner: string, id: string, quantity: number): boolean {
    const left = this.#stock.get(id) ?? 0;
    const cart = this.#carts.get(owner) ?? new Map<string, number>();
    const wanted = (cart.get(id) ?? 0) + quantity;
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > left || wanted > MOST_OF_ONE) return false;
    this.#stock.set(id, left - quantity);
    cart.set(id, wanted);
    this.#carts.delete(owner);
    this.#carts.set(owner, cart);
    if (this.#carts.size > MOST_CARTS) this.#carts.delete(this.#carts.keys().next().value!);
    return true;
  }

  stock(): readonly { readonly id: string; readonly left: number }[] {
    return [...this.#stock].map(([id, left]) => ({ id, left }));
  }

  /** A delivery arrives: one product at a time, so that pages see the stock move. */
  restock(turn: number): void {
    const { id } = PRODUCTS[turn % PRODUCTS.length]!;
    this.#stock.set(id, Math.min(FULL_SHELF, this.#stock.get(id)! + 1));
  }
}
