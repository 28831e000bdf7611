// Which requests are for assets (`assets.match`): files whose name holds a hash of their content, files in the folders where
// frameworks put what they build, and the operator's own patterns. By the path alone, as the client wrote it.
// Looked at when a version has no such file, and once for each asset that could be kept: never for an ordinary request. Linear
// in the length of the path, whatever stands in it: clients choose it.

/** hashed: another file would have another name. folder: it is where assets are, and may be another file in another version. */
export type AssetKind = 'hashed' | 'folder';

/** Octets of a target: no build tool writes longer ones, and what is remembered of clients' requests is bounded in number. */
export const LONGEST_ASSET = 2_048;

/** Words that stand for more than one pattern. */
export const ASSET_PRESETS = ['hashed', 'folders'] as const;

/**
 * Where build tools and frameworks put their output: Next.js, Nuxt, SvelteKit, Astro, Gatsby, Expo, Blazor, SolidStart; Vite,
 * Rails, Phoenix (`assets`), Create React App, Django (`static`), Remix, Qwik, Laravel (`build`). Under any base path.
 */
const FOLDERS: readonly string[] = [
  '/_next/static/',
  '/_nuxt/',
  '/_app/immutable/',
  '/_astro/',
  '/_expo/static/',
  '/_framework/',
  '/_build/',
  '/assets/',
  '/static/',
  '/build/',
  '/dist/',
];

/** What is a page or is made by a program: its name may look as it likes. */
const NO_ASSETS: ReadonlySet<string> = new Set([
  ...['htm', 'html', 'xhtml', 'shtml'],
  ...['php', 'asp', 'aspx', 'ashx', 'jsp', 'jsf', 'cgi', 'do', 'action', 'svc'],
]);
const LONGEST_EXTENSION = 11;
const SHORTEST_HASH = 8;
/** SHA-512 in hexadecimal. */
const LONGEST_HASH = 128;

export class AssetMatch {
  readonly #hasHashed: boolean;
  readonly #hasFolders: boolean;
  readonly #globs: readonly (readonly string[])[];

  /** Presets, and paths in which `*` stands for any characters. */
  constructor(patterns: readonly string[]) {
    this.#hasHashed = patterns.includes('hashed');
    this.#hasFolders = patterns.includes('folders');
    this.#globs = patterns.filter((pattern) => pattern.startsWith('/')).map((pattern) => pattern.split('*'));
  }

  /** Null: it is no asset. `target` in origin form, with its query. */
  kindOf(target: string): AssetKind | null {
    if (target.length > LONGEST_ASSET) return null;
    const query = target.indexOf('?');
    const path = query === -1 ? target : target.slice(0, query);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isFile = hasAssetExtension(name);
    // The kind of its name is a file's own, whichever pattern found it.
    const kind = isFile && isHashedName(name) ? 'hashed' : 'folder';
    if (this.#hasHashed && kind === 'hashed') return kind;
    if (this.#hasFolders && isFile && FOLDERS.some((folder) => path.includes(folder))) return kind;
    return this.#globs.some((parts) => isLike(path, parts)) ? kind : null;
  }
}

/** `name.ext`, with an extension that files have. */
function hasAssetExtension(name: string): boolean {
  const dot = name.lastIndexOf('.');
  const length = name.length - dot - 1;
  if (dot < 1 || length < 1 || length > LONGEST_EXTENSION) return false;
  for (let at = dot + 1; at < name.length; at++) if (!isLetterOrDigit(name.charCodeAt(at))) return false;
  return !NO_ASSETS.has(name.slice(dot + 1).toLowerCase());
}

/**
 * A part of the name, between dots, that ends in a hash behind `-`, `_` or nothing: `main.3f2a9c01.chunk.js`, `index-BX_3k-1a.js`,
 * `base.27e20196a850.css`, `4f2a9c01d7.woff2`.
 */
function isHashedName(name: string): boolean {
  const end = name.lastIndexOf('.');
  let start = 0;
  for (let at = 0; at <= end; at++) {
    if (name.charCodeAt(at) !== DOT) continue;
    if (at - start >= SHORTEST_HASH && endsInHash(name.slice(start, at))) return true;
    start = at + 1;
  }
  return false;
}

function endsInHash(part: string): boolean {
  const cut = Math.max(part.lastIndexOf('-'), part.lastIndexOf('_'));
  if (looksRandom(part.slice(cut + 1))) return true;
  if (cut === -1) return false;
  // Of base64url `-` and `_` are digits: those of Rollup and Vite have eight.
  const before = part.charCodeAt(part.length - SHORTEST_HASH - 1);
  if (part.length > SHORTEST_HASH && before !== DASH && before !== UNDERSCORE) return false;
  return cut > part.length - SHORTEST_HASH - 1 && looksRandom(part.slice(-SHORTEST_HASH));
}

/**
 * No word, number or date of the usual kind. Hexadecimal needs digits and letters; digits alone count from ten on (times of a
 * build); small letters two digits at least (`migrate`, `bootstrap4` are words); mixed case a digit, or eight characters exactly
 * (base64 of Rollup); so do capitals (base32 of esbuild).
 */
function looksRandom(text: string): boolean {
  const { length } = text;
  if (length < SHORTEST_HASH || length > LONGEST_HASH) return false;
  let digits = 0;
  let lower = 0;
  let upper = 0;
  let isHex = true;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) digits++;
    else if (code >= 0x61 && code <= 0x7a) {
      lower++;
      isHex &&= code <= 0x66;
    } else if (code >= 0x41 && code <= 0x5a) {
      upper++;
      isHex &&= code <= 0x46;
    } else if (code !== DASH && code !== UNDERSCORE) return false;
  }
  if (digits === length) return length >= 10;
  const isMixed = lower > 0 && upper > 0;
  if (digits === 0) {
    if (length !== SHORTEST_HASH) return false;
    return lower === 0 || (isMixed && upper > (isCapital(text.charCodeAt(0)) ? 1 : 0));
  }
  return isMixed || isHex || digits >= 2 || (lower === 0 && length === SHORTEST_HASH);
}

/** Each piece after the one before it: no look back, so that no path makes it slow. */
function isLike(path: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return path === first;
  if (!path.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = path.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return path.length - last.length >= at && path.endsWith(last);
}

const DOT = 0x2e;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;

function isCapital(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
}

function isLetterOrDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || isCapital(code) || (code >= 0x61 && code <= 0x7a);
}
