// Whose clients a version accepts although they were not built for it (`acceptsClientsOf`): version ids, to the letter, and
// semver ranges, for ids that are semver. What is neither accepts nobody and is refused where it is read.
// Asked when a table is built, not when a request comes.

import satisfies from 'semver/functions/satisfies.js';
import validRange from 'semver/ranges/valid.js';
import { VERSION_ID } from './versions.ts';

export const ACCEPTED_CLIENTS = 'a version id, or a semver range such as ^1.4 or ">=1.2 <2"';
/** Beyond what anybody writes, and short enough for the parser of ranges. */
const LONGEST = 128;

export function namesClients(text: string): boolean {
  return text.length <= LONGEST && (VERSION_ID.test(text) || validRange(text) !== null);
}

/** Of these ids, without the version's own. */
export function acceptedIds(
  own: string,
  accepted: readonly string[],
  ids: Iterable<string>,
): readonly string[] {
  if (accepted.length === 0) return accepted;
  return [...ids].filter((id) => id !== own && accepted.some((entry) => isOf(entry, id)));
}

/** An id that is not semver satisfies no range; a pre-release only one that names it, as npm has it. */
function isOf(entry: string, id: string): boolean {
  return entry === id || (validRange(entry) !== null && satisfies(id, entry));
}
