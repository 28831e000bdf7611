// Where a request with a preview goes: to the version that it opens, in whatever state that serves, before anything else is
// asked, and never anywhere else in its stead: who previews v3 must not be shown v2. It has no session: it neither makes
// nor keeps one, and holds up no drain.

import { forwarded, type Routing, refused } from './decision.ts';
import { requestMark } from './markers.ts';
import { isPreviewable, type Preview, previewedVersion } from './preview.ts';
import type { Decision } from './route.ts';
import type { AnswerEdits } from './steering-contract.ts';
import type { TableVersion } from './table.ts';

/** Null: it does not count for this request. */
export function decidePreview(routing: Routing, preview: Preview): Decision | null {
  const version = previewedVersion(preview, routing.table.versions, routing.nowMs);
  if (version === null || isOfOtherPage(routing, version)) return null;
  return openedBy(routing, version);
}

/** Nobody of its version can be asked: it waits, and is refused then. */
export function previewUnavailable(
  decision: Decision,
  wanted: TableVersion,
  routing: Routing,
  waitedMs: number,
): Decision {
  const { table, sources } = routing;
  const version = table.versions.get(wanted.id);
  if (version === undefined || !isPreviewable(version)) {
    return refused(routing, {
      reason: 'preview',
      version: version ?? wanted,
      failure: 'version-unavailable',
    });
  }
  // As for pins: only a wait or a new table is a ground to look again.
  const mayHaveRecovered = decision.holdMs > 0 || version !== decision.version;
  if (mayHaveRecovered && sources.hasAvailable(version)) return openedBy(routing, version);
  const holdMs = sources.policy.deadPin.patienceMs - waitedMs;
  if (holdMs > 0) return { ...openedBy(routing, version), holdMs };
  return refused(routing, { reason: 'preview', version, failure: 'no-upstream' });
}

/** Shown, and kept by nobody: what the browser kept of it would be there when the preview has ended. */
export function previewEdits(
  preview: Preview | null,
  { id }: TableVersion,
): Pick<AnswerEdits, 'cacheControl' | 'preview'> {
  const until = new Date(preview?.untilMs ?? 0).toISOString();
  return { cacheControl: 'private, no-store', preview: `${id}; until=${until}` };
}

function openedBy(routing: Routing, version: TableVersion): Decision {
  return forwarded(routing, {
    reason: 'preview',
    version,
    session: '',
    pinAction: 'none',
    // What the browser has of this page may be another version's.
    dropConditionals: true,
  });
}

/** A tab of the same browser whose page is of another version, and says so: what it asks for belongs to that one. */
function isOfOtherPage({ facts, table, sources }: Routing, version: TableVersion): boolean {
  const named = facts.tab === '' ? undefined : table.versions.get(facts.tab);
  if (named !== undefined) return named !== version;
  const { markers } = sources.policy;
  const mark = markers === null ? null : requestMark(facts, table, markers);
  return mark !== null && mark.version !== version;
}
