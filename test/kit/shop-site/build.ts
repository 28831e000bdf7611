// What one build of the shop is made of: its assets, under names that carry a hash of their content, as bundlers make
// them. All but the vendor chunk and the logo differ between builds. Another build's servers do not have them.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly content: string;
}

export interface Build {
  readonly id: string;
  readonly colour: string;
  readonly style: Asset;
  readonly logo: Asset;
  readonly shared: Asset;
  readonly vendor: Asset;
  readonly details: Asset;
  readonly extras: Asset;
  readonly app: Asset;
  /** Its name carries no hash: browsers look for a new one under the name of the old. */
  readonly serviceWorker: Asset;
}

/** So that a screenshot shows whose page it is. */
const COLOURS = ['#1d4ed8', '#9a3412', '#166534', '#6b21a8'];

export function buildOf(id: string): Build {
  const number = Number(/\d+$/.exec(id)?.[0] ?? 0);
  const colour = COLOURS[number % COLOURS.length]!;
  const shared = asset('shared', 'js', script('shared', { BUILD: id }));
  const vendor = asset('vendor', 'js', script('vendor', {}));
  const part = (name: string): Asset =>
    asset(name, 'js', script('part', { BUILD: id, SHARED: shared.path, NAME: name }));
  const details = part('details');
  const extras = part('extras');
  const places = { SHARED: shared.path, VENDOR: vendor.path, DETAILS: details.path, EXTRAS: extras.path };
  return {
    id,
    colour,
    style: asset('style', 'css', styleOf(id, colour)),
    logo: asset('logo', 'svg', LOGO),
    shared,
    vendor,
    details,
    extras,
    app: asset('app', 'js', script('app', { BUILD: id, ...places })),
    serviceWorker: {
      path: '/service-worker.js',
      contentType: TYPES.js,
      content: script('service-worker', { BUILD: id }),
    },
  };
}

/** Those under hashed names. */
export function hashedAssets(build: Build): readonly Asset[] {
  const { style, logo, shared, vendor, details, extras, app } = build;
  return [style, logo, shared, vendor, details, extras, app];
}

const TYPES = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

function asset(name: string, extension: keyof typeof TYPES, content: string): Asset {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
  return { path: `/assets/${name}-${hash}.${extension}`, contentType: TYPES[extension], content };
}

function script(name: string, places: Readonly<Record<string, string>>): string {
  const source = readFileSync(join(import.meta.dirname, 'browser', `${name}.js`), 'utf8');
  return source.replaceAll(/__([A-Z]+)__/g, (whole, place: string) => places[place] ?? whole);
}

function styleOf(id: string, colour: string): string {
  return `:root { --build: ${id}; --colour: ${colour}; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
header { background: var(--colour); color: #fff; padding: 1rem; display: flex; gap: 1rem; align-items: center; }
header a { color: inherit; }
main { padding: 1rem; max-width: 50rem; }
#answers { font: 13px/1.4 monospace; background: #f5f5f4; padding: .5rem; }
iframe { border: 2px solid var(--colour); width: 20rem; height: 5rem; }
`;
}

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32"><circle cx="16" cy="16" r="14" fill="#fff"/></svg>';
