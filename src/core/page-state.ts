// What a page is told of its own version and of the newest: the JSON of /.lockstep/version and of each event of
// /.lockstep/events. The field names are the outside contract. Rules: nothing of a staged version is told, for nobody
// but its preview knows of it; of one that was deleted no more than how it ended.

import { isFollowed } from './decision.ts';
import type { Deployment } from './deployment.ts';
import type { DrainPolicy, PinScope } from './policy.ts';
import type { RoutingTable } from './table.ts';
import type { VersionState } from './versions.ts';

/** Ids as a request names them: known or not. */
export interface PageIdentity {
  /** The version that the page says it is of. */
  readonly page: string | null;
  /** Version of the verified pin. */
  readonly session: string | null;
}

export interface PageState extends PageIdentity {
  /** The active version. */
  readonly newest: string | null;
  /** Of the page's version, or of the session's where the page says none; null: it is not known. */
  readonly state: VersionState | null;
  /** ISO 8601: when that version answers nothing but navigations any more. Null: that is not settled. */
  readonly endsAt: string | null;
  /** As in x-lockstep-update: the newest, while that version's pages should be told that there is one. */
  readonly update: string | null;
  /** That version was known and answers its pages no more. */
  readonly gone: boolean;
  /** The page, loaded again now, would be one of another version. */
  readonly moves: boolean;
}

export interface PagePolicy {
  readonly drain: Pick<DrainPolicy, 'deadlineMs'>;
  readonly scope: PinScope;
}

export function pageState(
  about: PageIdentity,
  table: RoutingTable,
  { versions }: Deployment,
  { drain, scope }: PagePolicy,
): PageState {
  const { page, session } = about;
  const newest = table.active?.id ?? null;
  const own = table.versions.get(page ?? session ?? '');
  const unknown = { state: null, endsAt: null, update: null, gone: false, moves: false };
  if (own === undefined || own.state === 'staged') return { page, session, newest, ...unknown };
  const draining = own.state === 'draining' ? versions.find(({ id }) => id === own.id)?.drain : null;
  const endsAtMs = draining == null ? null : endOf(draining, drain);
  return {
    page,
    session,
    newest,
    state: own.state,
    endsAt: endsAtMs === null ? null : new Date(endsAtMs).toISOString(),
    update: own.nudge && own.id !== newest ? newest : null,
    gone: !isFollowed(own),
    moves: (reloaded(session, table, scope) ?? own.id) !== own.id,
  };
}

/** Who must move, must do so from the start (`sessions: move`). */
function endOf(
  { startedAt, sessions }: NonNullable<Deployment['versions'][number]['drain']>,
  { deadlineMs }: Pick<DrainPolicy, 'deadlineMs'>,
): number | null {
  if (sessions === 'move') return startedAt;
  return deadlineMs === null ? null : startedAt + deadlineMs;
}

/** The version that the page would get, as far as time and path have no say in it; null: none. */
function reloaded(session: string | null, table: RoutingTable, scope: PinScope): string | null {
  const pinned = session === null ? undefined : table.versions.get(session);
  const stays =
    pinned !== undefined &&
    isFollowed(pinned) &&
    pinned.repin === 'stay' &&
    (scope === 'session' || pinned.state !== 'draining');
  return stays ? pinned.id : (table.active?.id ?? null);
}
