// The page's own part, served as /.lockstep/client.js and built into one file by `npm run client` (docs/clients.md).
// It learns which version its page is of, names that version in whatever the page asks its own origin for, and tells the
// page when a newer version is there or its own has gone. Rules:
// - no globals, nothing thrown into the page, nothing that the page hands in is changed;
// - a second copy of it does nothing;
// - under 2 KiB compressed (a test holds that): so no classes, whose private fields take room, and few words.

import { trackEdits } from './edits.ts';
import { markRequests } from './marks.ts';
import { pageOrigin } from './page-origin.ts';
import { reloader } from './reloader.ts';
import { followUpdates } from './updates.ts';

/** Asks whether another copy is there, which cancels it. */
const PRESENCE = '__lockstep';

if (dispatchEvent(new Event(PRESENCE, { cancelable: true }))) {
  addEventListener(PRESENCE, (event) => event.preventDefault());
  const page = pageOrigin();
  const edits = trackEdits(page);
  const reloads = reloader(page, edits);
  markRequests(page, followUpdates(page, reloads), reloads.sending);
}
