// What a document, a script or a style sheet loads, as paths on its own origin. Pure. Scripts and style sheets are not parsed: what
// stands in quotes and looks like a file is taken for one, as bundlers list their chunks in many ways; who asks finds out.

import { Parser } from 'htmlparser2';

/** Of what a document links to, what it loads at once or soon. */
const RELATIONS: ReadonlySet<string> = new Set([
  'stylesheet',
  'modulepreload',
  'preload',
  'prefetch',
  'icon',
  'apple-touch-icon',
  'manifest',
]);
const QUOTED_FILE =
  /["'`]([^"'`\s\\<>{}()]{1,256}\.(?:m?js|css|json|wasm|woff2?|svg|png|jpe?g|webp|avif))["'`]/g;
const CSS_URL = /url\(\s*["']?([^"')\s]{1,512})["']?\s*\)|@import\s+["']([^"']{1,512})["']/g;

/** `base`: where it was found, with any origin. */
export function linksOfDocument(html: string, base: URL): readonly string[] {
  const found = new Set<string>();
  let root = base;
  const add = (reference: string | undefined) => addTo(found, reference, root);
  const parser = new Parser({
    onopentag: (name, { href, src, srcset, rel = '' }) => {
      if (name === 'base' && href !== undefined && URL.canParse(href, base)) root = new URL(href, base);
      else if (name === 'script' || name === 'img' || name === 'source') {
        add(src);
        for (const candidate of srcset?.split(',') ?? []) add(candidate.trim().split(/\s/)[0]);
      } else if (
        name === 'link' &&
        rel
          .toLowerCase()
          .split(/\s+/)
          .some((one) => RELATIONS.has(one))
      )
        add(href);
    },
  });
  parser.end(html);
  return [...found];
}

export function linksOfScript(text: string, base: URL): readonly string[] {
  const found = new Set<string>();
  for (const [, file] of text.matchAll(QUOTED_FILE)) {
    addTo(found, file, base);
    // Vite lists chunks by their path below the base of the application, not below the script.
    if (!/^[./]|:/.test(file!)) addTo(found, `/${file}`, base);
  }
  return [...found];
}

export function linksOfStyle(text: string, base: URL): readonly string[] {
  const found = new Set<string>();
  for (const [, url, imported] of text.matchAll(CSS_URL)) addTo(found, url ?? imported, base);
  return [...found];
}

function addTo(found: Set<string>, reference: string | undefined, base: URL): void {
  if (reference === undefined || reference === '' || !URL.canParse(reference, base)) return;
  const url = new URL(reference, base);
  if (url.origin === base.origin) found.add(`${url.pathname}${url.search}`);
}
