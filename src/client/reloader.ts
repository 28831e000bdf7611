// Reloads the page at a moment at which nobody loses anything: while its tab is hidden, and at once when the page's version
// is gone. Never with input in its fields, while something is being sent or played, or where the page's own `beforeunload`
// objects. The gateway is asked right before: a tab must not end up on an error page because its network is away.

import type { Edits } from './edits.ts';
import type { PageOrigin } from './page-origin.ts';
import { askStatus } from './status.ts';

/** 1: when nobody looks. 2: at once. */
export type Urgency = 1 | 2;

export interface Reloader {
  /** From now on, at the next such moment. */
  want(urgency: Urgency): void;
  /** This may be one. */
  attempt(): void;
  /** A request that may change something is on its way; called with whether it did when it has ended. */
  sending(): (isSaved: unknown) => void;
}

/** In the session storage: when the tab was reloaded last. A page that comes back as it was (out of a service worker) rests. */
const LAST = '__lockstep';
const REST_MS = 60_000;

/** The gateway keeps a session where it is for so long after it changed something: to reload then brings nothing new. */
const ROUND_TRIP_MS = 10_000;

export function reloader({ mayReload }: PageOrigin, edits: Edits): Reloader {
  let urgency: Urgency | 0 = 0;
  let onTheWay = 0;

  const attempt = async (): Promise<void> => {
    const isMoment = (): boolean =>
      urgency > (document.hidden ? 0 : 1) && !onTheWay && !edits.hasInput() && !isPlaying();
    if (!mayReload || !isMoment() || !(await askStatus()).moves || !isMoment() || objects()) return;
    try {
      if (Date.now() - sessionStorage[LAST] < REST_MS) return;
      sessionStorage[LAST] = Date.now();
      location.reload();
    } catch {}
  };

  return {
    want: (wanted) => {
      if (wanted > urgency) urgency = wanted;
      attempt();
    },
    attempt,
    sending: () => {
      const saved = edits.mark();
      onTheWay++;
      const ended = (): void => {
        onTheWay--;
        attempt();
      };
      return (isSaved) => {
        if (isSaved) saved();
        setTimeout(ended, isSaved ? ROUND_TRIP_MS : 0);
      };
    },
  };
}

function isPlaying(): boolean {
  return [...document.querySelectorAll<HTMLMediaElement>('video,audio')].some(({ paused }) => !paused);
}

/** Whether the application would have the user asked before the page is left: it says so to this event, if at all. */
function objects(): unknown {
  const event = document.createEvent('BeforeUnloadEvent') as BeforeUnloadEvent;
  event.initEvent('beforeunload', false, true);
  return !dispatchEvent(event) || event.returnValue;
}
