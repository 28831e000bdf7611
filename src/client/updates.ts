// Hears of newer versions, and of the end of the page's own, and tells the page: by `lockstep:update` and
// `lockstep:reload` on the window. Who cancels the event sees to it; else the page is reloaded (reloader.ts).
// News come by a stream while the page is shown, by fields of answers, and by answers of 409.

import type { PageOrigin } from './page-origin.ts';
import type { Reloader } from './reloader.ts';
import { askStatus, type Status } from './status.ts';

/** Hears the head of an answer of the page's own origin. */
export type HearAnswer = (url: string, status: number, field: (name: string) => string | null) => void;

export function followUpdates({ version }: PageOrigin, { want, attempt }: Reloader): HearAnswer {
  let stream: EventSource | null = null;
  /** The latest news, and whether the page left them to us. */
  let told = '';
  let isOurs = false;
  let isGone = false;

  const tell = (name: string, detail: object): boolean =>
    dispatchEvent(new CustomEvent(`lockstep:${name}`, { cancelable: true, detail: { version, ...detail } }));

  const lose = (url?: string): void => {
    isGone = true;
    if (tell('reload', { url })) want(2);
  };

  const learn = ({ update: newest, endsAt, gone, moves }: Partial<Status>): void => {
    const news = `${newest} ${endsAt}`;
    if (gone) {
      if (!isGone) lose();
    } else if (newest) {
      if (news !== told) isOurs = tell('update', { kind: endsAt ? 'hard' : 'soft', newest, endsAt });
      told = news;
      if (isOurs && moves) want(1);
    }
  };
  const look = () => askStatus().then(learn);

  // A hidden page holds no connection, so one in the back/forward cache has none; a stream that was refused is tried anew.
  const tune = (): void => {
    if (stream && (document.hidden || stream.readyState === 2)) {
      stream.close();
      stream = null;
    }
    if (!stream && !document.hidden) {
      stream = new EventSource('/.lockstep/events');
      stream.addEventListener('state', ({ data }) => learn(JSON.parse(data)));
    }
    attempt();
  };
  if (version) for (const type of ['pageshow', 'visibilitychange']) addEventListener(type, tune);

  // Scripts, `import()`, styles and images: their answers are seen by nobody else.
  new PerformanceObserver((list) => {
    const entries = list.getEntries() as PerformanceResourceTiming[];
    if (!isGone && entries.some(({ responseStatus }) => responseStatus === 409)) look();
  }).observe({ type: 'resource' });

  return (url, status, field) => {
    if (status === 409 && field('x-lockstep-reload')) lose(url);
    else if (!told && field('x-lockstep-update')) look();
  };
}
