// Request fields besides the usual ones that steering looks at, and their places in RequestFacts.named.

import { PREVIEW_FIELD } from './preview.ts';
import { NO_NAMED } from './route.ts';
import type { SteeringPolicy } from './steering-contract.ts';

export const REFERER = 'referer';

/** Those of markers come first: core/markers.ts and core/repin.ts know their places. */
export function namedFieldsOf({
  markers,
  scope,
  previews,
}: Pick<SteeringPolicy, 'markers' | 'scope' | 'previews'>): readonly string[] {
  const headers = markers?.headers ?? NO_NAMED;
  const more = [...(scope === 'page' ? [REFERER] : []), ...(previews == null ? [] : [PREVIEW_FIELD])];
  return more.length === 0 ? headers : [...headers, ...more];
}
