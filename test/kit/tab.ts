// What one tab of a test's browser loaded, and whether that was one version. Each answer is held against the version of
// the document that asked for it, whatever the tab shows by then: a page that comes back out of the back/forward cache
// goes on asking as the document that it is.
//
// Not seen: what workers and frames of other sites ask for, pages still being prerendered, and the first requests of a
// page that another one opened.

import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { waitFor } from './wait-for.ts';

export interface TabAnswer {
  readonly method: string;
  readonly url: string;
  /** As Chromium calls it: Document, Script, Stylesheet, Image, Fetch, XHR, EventSource, Ping, WebSocket … */
  readonly type: string;
  readonly status: number;
  /** `x-lockstep-version`; '' where there is none. */
  readonly version: string;
  /** That of the document that asked; '' when it had none. */
  readonly page: string;
  readonly fromCache: boolean;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface TroubleOptions {
  /** Answers that are as they should be: an error that is expected, an asset of an older version. */
  readonly except?: (answer: TabAnswer) => boolean;
}

export interface Tab {
  readonly page: Page;
  /** Every answer of HTTP, redirects and WebSocket handshakes too, in the order in which they came. */
  readonly answers: readonly TabAnswer[];
  /** Requests that got no answer, or lost it half-way: `GET URL: net::ERR_…`. */
  readonly failed: readonly string[];
  /** Those that the page itself gave up, mostly by being left. */
  readonly aborted: readonly string[];
  readonly consoleErrors: readonly string[];
  /** Exceptions that nobody caught. */
  readonly pageErrors: readonly string[];
  /** Version of the document that it shows; '' when it has none. */
  version(): string;
  /** Answers of another version than their document's; the gateway's own pages under /.lockstep/ have none. */
  skewed(options?: TroubleOptions): TabAnswer[];
  /** Failed loads (no answer, or 400 and above), console errors, exceptions, skew: a sentence each. Expect []. */
  trouble(options?: TroubleOptions): string[];
  /** Until all that the page asked for so far has been answered and recorded; streams, sockets and beacons are not waited for. */
  settle(): Promise<void>;
  /** Forgets what was recorded, for the next part of a scenario. */
  clear(): void;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly type: string;
  /** Of the document that asked. */
  readonly loader: string;
  isAnswered: boolean;
}

interface Recorder {
  readonly answers: TabAnswer[];
  readonly failed: string[];
  readonly aborted: string[];
  /** By request id, while on their way. */
  readonly asked: Map<string, Asked>;
  /** Versions by loader: a document's own. */
  readonly versions: Map<string, string>;
  /** Loader of the document in the main frame. */
  current: string;
}

/** What lasts, and what Chromium tells no end of (sendBeacon). */
const UNENDING: ReadonlySet<string> = new Set(['EventSource', 'WebSocket', 'Ping']);

type Headers = Readonly<Record<string, string>>;

export async function recordTab(page: Page, context: BrowserContext): Promise<Tab> {
  const consoleErrors: string[] = [];
  const pageErrors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => pageErrors.push(error.stack ?? error.message));
  page.on('crash', () => pageErrors.push('the page crashed'));
  const recorder: Recorder = {
    answers: [],
    failed: [],
    aborted: [],
    asked: new Map(),
    versions: new Map(),
    current: '',
  };
  const session = await context.newCDPSession(page);
  await record(session, recorder);
  const { answers, failed, aborted } = recorder;
  const skewed = ({ except = () => false }: TroubleOptions = {}): TabAnswer[] =>
    answers.filter((answer) => isSkewed(answer) && !except(answer));
  return {
    page,
    answers,
    failed,
    aborted,
    consoleErrors,
    pageErrors,
    version: () => recorder.versions.get(recorder.current) ?? '',
    skewed,
    trouble: (options = {}) => [
      ...failed,
      ...answers
        .filter((answer) => answer.status >= 400 && options.except?.(answer) !== true)
        .map((answer) => `${describe(answer)}: ${answer.status}`),
      ...consoleErrors.map((text) => `console: ${text}`),
      ...pageErrors.map((text) => `exception: ${text}`),
      ...skewed(options).map(
        (answer) => `${describe(answer)}: a page of ${answer.page} got ${answer.version}`,
      ),
    ],
    settle: async () => {
      // Both come through this session in their order: after the answer everything is here that the page knew before.
      await session.send('Runtime.evaluate', { expression: '0' });
      const hasEnded = () => {
        // Told as the cause when it does not come to that.
        for (const asked of recorder.asked.values()) if (isPending(asked)) throw new Error(describe(asked));
        return true;
      };
      await waitFor(hasEnded, { what: `${page.url()} to settle` });
    },
    clear: () => {
      for (const list of [answers, failed, aborted, consoleErrors, pageErrors]) list.length = 0;
    },
  };
}

async function record(session: CDPSession, recorder: Recorder): Promise<void> {
  const { asked, versions } = recorder;
  const fromMemory = new Set<string>();
  const answered = (id: string, status: number, headers: Headers, fromCache: boolean): void => {
    const request = asked.get(id);
    if (request === undefined) return;
    const lower = lowerCase(headers);
    const version = lower['x-lockstep-version'] ?? '';
    // The document of a navigation bears the id of its loader; a redirect's version is that of the chain so far.
    if (request.type === 'Document' && request.loader === id && !versions.has(id)) versions.set(id, version);
    const { method, url, type, loader } = request;
    request.isAnswered = true;
    const pageVersion = versions.get(loader) ?? '';
    recorder.answers.push({
      method,
      url,
      type,
      status,
      version,
      page: pageVersion,
      fromCache,
      headers: lower,
    });
  };
  session.on('Network.requestWillBeSent', ({ requestId, loaderId, request, type, redirectResponse }) => {
    if (redirectResponse !== undefined) {
      answered(requestId, redirectResponse.status, redirectResponse.headers, false);
    }
    asked.set(requestId, {
      method: request.method,
      url: request.url,
      type: type ?? '',
      loader: loaderId,
      isAnswered: false,
    });
  });
  session.on('Network.responseReceived', ({ requestId, response }) => {
    const { fromDiskCache, fromPrefetchCache } = response;
    const fromCache = fromDiskCache === true || fromPrefetchCache === true || fromMemory.delete(requestId);
    answered(requestId, response.status, response.headers, fromCache);
  });
  session.on('Network.requestServedFromCache', ({ requestId }) => void fromMemory.add(requestId));
  session.on('Network.loadingFailed', ({ requestId, errorText, canceled }) => {
    const request = asked.get(requestId);
    if (request === undefined) return;
    const list = canceled === true || errorText === 'net::ERR_ABORTED' ? recorder.aborted : recorder.failed;
    list.push(`${request.method} ${request.url}: ${errorText}`);
    asked.delete(requestId);
  });
  session.on('Network.loadingFinished', ({ requestId }) => void asked.delete(requestId));
  session.on('Network.webSocketCreated', ({ requestId, url }) => {
    asked.set(requestId, {
      method: 'GET',
      url,
      type: 'WebSocket',
      loader: recorder.current,
      isAnswered: false,
    });
  });
  session.on('Network.webSocketHandshakeResponseReceived', ({ requestId, response }) => {
    answered(requestId, response.status, response.headers, false);
  });
  session.on('Page.frameNavigated', ({ frame }) => {
    if (frame.parentId === undefined) recorder.current = frame.loaderId;
  });
  await Promise.all([session.send('Network.enable'), session.send('Page.enable')]);
}

/** The end of a body that no script reads is not told. */
function isPending({ type, isAnswered }: Asked): boolean {
  return !UNENDING.has(type) && !(type === 'Fetch' && isAnswered);
}

function isSkewed({ version, page, url }: TabAnswer): boolean {
  return (
    version !== '' && page !== '' && version !== page && !new URL(url).pathname.startsWith('/.lockstep/')
  );
}

function describe({ method, url, type }: TabAnswer | Asked): string {
  return `${method} ${url} (${type})`;
}

function lowerCase(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
