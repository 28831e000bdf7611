// V8 keeps a text that was put together as a tree of its parts, and whoever writes it walks the tree each time: 3 % of what
// a small request costs. Putting a text into one piece costs as much as writing it once, so it is done to texts that are
// written again.

/** From so many uses on: what is used twice is used more often. */
export const FLAT_FROM = 2;

/** The same text, of latin1. */
export function inOnePiece(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
