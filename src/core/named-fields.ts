// Request fields besides the usual ones that steering looks at, and their places in RequestFacts.named.

import { PREVIEW_FIELD } from './preview.ts';
import { NO_NAMED } from './route.ts';
import type { SteeringPolicy } from './steering-contract.ts';

export const REFERER = 'referer';

export interface NamedFields {
  /** Those of markers come first: core/markers.ts and core/repin.ts know their places. */
  readonly names: readonly string[];
  /** Of x-lockstep-preview among them; -1 for nowhere. */
  readonly previewAt: number;
  /** Which version answered which page is asked for, with the next request of that page. */
  readonly remembersPages: boolean;
}

export function namedFieldsOf({
  markers,
  scope,
  previews,
  detectsSkew = false,
}: Pick<SteeringPolicy, 'markers' | 'scope' | 'previews' | 'detectsSkew'>): NamedFields {
  const remembersPages = scope === 'page' || detectsSkew;
  const headers = markers?.headers ?? NO_NAMED;
  const more = [...(remembersPages ? [REFERER] : []), ...(previews == null ? [] : [PREVIEW_FIELD])];
  const names = more.length === 0 ? headers : [...headers, ...more];
  return { names, previewAt: names.indexOf(PREVIEW_FIELD), remembersPages };
}
