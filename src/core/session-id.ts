// A session's id as the ledger keeps it: 16 base64url characters are 96 bits, which is three words, and where its chain
// begins. Nothing is allocated: the id in hand is fields, not a string key or a BigInt.

/** 16 base64url characters. */
const ID_LENGTH = 16;

/** Six bits by character code; -1 for what is not base64url. */
const SEXTETS: Int8Array = new Int8Array(128).fill(-1);
for (const [value, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  SEXTETS[character.charCodeAt(0)] = value;
}

export class SessionId {
  word0 = 0;
  word1 = 0;
  word2 = 0;
  readonly #seed: number;

  /** `seed` makes the places of entries unknown outside: clients choose which of their sessions come back. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** False, and the id as it was, when that is no session id. */
  read(session: string): boolean {
    if (session.length !== ID_LENGTH) return false;
    const high = quadAt(session, 0);
    const quad0 = quadAt(session, 4);
    const quad1 = quadAt(session, 8);
    const quad2 = quadAt(session, 12);
    // Negative when one of them is.
    if ((high | quad0 | quad1 | quad2) < 0) return false;
    // The first four characters' 24 bits are the high bytes of the three words.
    this.word0 = quad0 | ((high & 0xff) << 24);
    this.word1 = quad1 | ((high & 0xff00) << 16);
    this.word2 = quad2 | ((high & 0xff0000) << 8);
    return true;
  }

  /** As an entry holds it. */
  take(words: Int32Array, at: number): void {
    this.word0 = words[at]!;
    this.word1 = words[at + 1]!;
    this.word2 = words[at + 2]!;
  }

  /** 0 to less than 1, evenly. The multipliers are those of MurmurHash3's finalizer. */
  hash(): number {
    let hash = Math.imul(this.word0 ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ this.word1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ this.word2, 0xc2b2ae35);
    hash ^= hash >>> 16;
    // Division by a power of two is exact: the product with a whole number stays below it.
    return (hash >>> 0) / 2 ** 32;
  }
}

/** 24 bits from four characters, negative when one of them is not base64url. */
function quadAt(text: string, at: number): number {
  return (
    (sextetAt(text, at) << 18) |
    (sextetAt(text, at + 1) << 12) |
    (sextetAt(text, at + 2) << 6) |
    sextetAt(text, at + 3)
  );
}

function sextetAt(text: string, at: number): number {
  return SEXTETS[text.charCodeAt(at)] ?? -1;
}
