// `markers:` of the file: presets by the name of who speaks so, and marks of one's own. What each preset means is what
// these frameworks and platforms send of themselves; sources in docs/skew.md.

import type { MarkerPolicy } from '../core/policy.ts';
import type { Reader } from './readers.ts';

type Marks = Partial<MarkerPolicy>;

/** Next.js marks with `deploymentId`; Nitro's and SvelteKit's Vercel adapters set the cookie, and leave the rest to pages. */
export const PRESETS: Readonly<Record<string, Marks>> = {
  vercel: { headers: ['x-deployment-id'], queries: ['dpl'], cookies: ['__vdpl'] },
  next: { headers: ['x-deployment-id'], queries: ['dpl'] },
  nuxt: { cookies: ['__vdpl'] },
  sveltekit: { cookies: ['__vdpl'] },
  netlify: {
    headers: ['x-netlify-deploy-id', 'x-deployment-id'],
    queries: ['nfdpl', 'dpl'],
    cookies: ['__vdpl'],
  },
  amplify: { headers: ['x-amplify-dpl'], queries: ['dpl'], cookies: ['_dpl'] },
  platformatic: { headers: ['x-deployment-id'], cookies: ['__plt_dpl'] },
};

/** RFC 9110 section 5.6.2, in the case that fields are compared in. */
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
/** A name that a URL need not escape: what stands there is compared as it is. */
const QUERY = /^[A-Za-z0-9._~-]{1,64}$/;
const COOKIE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
/** `{version}` is one whole part of the path. */
const PATH =
  /^\/(?:[\x21-\x29\x2b-\x3e\x40-\x7a\x7c\x7e]*\/)?\{version\}(?:\/[\x21-\x29\x2b-\x3e\x40-\x7a\x7c\x7e]*\*?)?$/;
/** They route, frame or say what Lockstep itself has to say. */
const NOT_MARKS = /^(?:x-lockstep-.*|cookie|host|connection|content-length|transfer-encoding)$/;

const EXPECTED = `one of ${Object.keys(PRESETS).join(', ')}, or one of { header: NAME }, { query: NAME }, { cookie: NAME }, { path: "/app/{version}/*" }`;

export const marker: Reader<Marks> = (value) => {
  if (typeof value === 'string' && Object.hasOwn(PRESETS, value)) return { value: PRESETS[value]! };
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) {
    return { expected: EXPECTED };
  }
  const [[place, name]] = Object.entries(value) as [[string, unknown]];
  if (typeof name !== 'string') return { expected: EXPECTED };
  const mark = ownMark(place, name);
  return mark === null ? { expected: EXPECTED, got: `${place}: ${JSON.stringify(name)}` } : { value: mark };
};

/** Null: nothing marks, and nobody looks. */
export function markerPolicy(marks: readonly Marks[]): MarkerPolicy | null {
  if (marks.length === 0) return null;
  const all = (key: keyof MarkerPolicy) => [...new Set(marks.flatMap((mark) => mark[key] ?? []))];
  return { headers: all('headers'), queries: all('queries'), paths: all('paths'), cookies: all('cookies') };
}

function ownMark(place: string, name: string): Marks | null {
  switch (place) {
    case 'header': {
      const lower = name.toLowerCase();
      return HEADER.test(lower) && !NOT_MARKS.test(lower) ? { headers: [lower] } : null;
    }
    case 'query':
      return QUERY.test(name) ? { queries: [name] } : null;
    case 'cookie':
      return COOKIE.test(name) ? { cookies: [name] } : null;
    case 'path':
      return PATH.test(name) ? { paths: [name] } : null;
    default:
      return null;
  }
}
