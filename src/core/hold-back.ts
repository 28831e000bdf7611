// An operator's will about versions that discovery could promote by itself (auto-promote.ts): what one rolled back from, drained,
// retired or passed over is that operator's from then on, until one promotes it again. Read off what a change did, so that the
// rules of changes need not know of it.

import type { Change, Deployment, VersionRecord } from './deployment.ts';
import { find } from './edit.ts';

/** `next`: what the change makes of `before`. */
export function withHeldBack(before: Deployment, next: Deployment, change: Change): Deployment {
  const isHeld = heldBy(before, next, change);
  if (isHeld === null) return next;
  const versions = next.versions.map((record) => {
    if (record.id === next.active) return next.active === before.active ? record : released(record);
    return isHeld(record) && record.autoPromote !== 'never'
      ? { ...record, autoPromote: 'never' as const }
      : record;
  });
  return { ...next, versions };
}

/** Null: that change is no decision about who is promoted. */
function heldBy(
  before: Deployment,
  next: Deployment,
  change: Change,
): ((record: VersionRecord) => boolean) | null {
  switch (change.verb) {
    case 'drain':
    case 'retire':
      return ({ id }) => id === change.id;
    case 'rollback':
      return ({ id, state }) => id === before.active || state === 'staged';
    case 'promote': {
      if (change.isAutomatic === true || next.active === before.active) return null;
      const isBack = wasActive(find(before, change.id));
      return ({ id, state }) => state === 'staged' || (isBack && id === before.active);
    }
    default:
      return null;
  }
}

function wasActive(record: VersionRecord | undefined): boolean {
  return record?.state === 'draining' || record?.state === 'drained' || record?.autoPromote === 'by-majority';
}

function released(record: VersionRecord): VersionRecord {
  const { autoPromote: _, ...rest } = record;
  return record.autoPromote === undefined ? record : rest;
}
