// A simulated browser: a cookie jar that its tabs share, Sec-Fetch fields as browsers send them, and a memory of which
// version each tab's page is. It judges every answer: one of another version than the page's is a mismatch; anything
// but a 2xx is a failure, unless the scenario expects it (`tab.send` judges only the version).

import { Agent } from 'node:http';
import { type CookieJar, cookieJar } from './cookie-jar.ts';
import { type Answer, httpRequest } from './http-request.ts';
import { VERSION_FIELD } from './upstream.ts';

export interface BrowserOptions {
  /** http://127.0.0.1:8080 */
  readonly origin: string;
  /** Makes its fingerprint; default one of its own. */
  readonly userAgent?: string;
  /** Send a request again, up to this many ms long, while the connection is refused or reset (a gateway restarts). */
  readonly retryTransportMs?: number;
}

export interface Browser {
  readonly jar: CookieJar;
  readonly mismatches: readonly string[];
  readonly failures: readonly string[];
  /** Answered requests by version of the application. */
  readonly answered: ReadonlyMap<string, number>;
  /** When a version last answered it; ms since the Unix epoch. */
  readonly lastAnswerAt: ReadonlyMap<string, number>;
  /** Requests so far, answered or not. */
  readonly requests: () => number;
  /** Requests that were sent again because the gateway was away. */
  readonly retried: () => number;
  openTab(options?: TabOptions): Tab;
  close(): void;
}

export interface TabOptions {
  /** As the gateway's script does, in `x-lockstep-version`. */
  readonly sendsVersion?: boolean;
  /** A field in which the application's own script says of which version its page is. */
  readonly pageField?: string;
}

export interface Tab {
  /** Version of the page it shows, '' before the first. */
  readonly page: () => string;
  /** A top-level navigation, and the page's assets. */
  load(path?: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  ajax(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  post(path: string, body?: string): Promise<Answer>;
  /** A sub-request whose status the scenario judges. */
  send(
    method: string,
    path: string,
    body?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

const DOCUMENT = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
  'sec-fetch-user': '?1',
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
};
const SCRIPT = {
  'sec-fetch-dest': 'script',
  'sec-fetch-mode': 'no-cors',
  'sec-fetch-site': 'same-origin',
  accept: '*/*',
};
const AJAX = {
  'sec-fetch-dest': 'empty',
  'sec-fetch-mode': 'cors',
  'sec-fetch-site': 'same-origin',
  accept: '*/*',
};

export function browserWithCookies(options: BrowserOptions): Browser {
  const { origin, userAgent = `browser/${crypto.randomUUID()}`, retryTransportMs = 0 } = options;
  const jar = cookieJar();
  const agent = new Agent({ keepAlive: true, maxSockets: 6 });
  const mismatches: string[] = [];
  const failures: string[] = [];
  const answered = new Map<string, number>();
  const lastAnswerAt = new Map<string, number>();
  let retried = 0;
  let requests = 0;

  const exchange = async (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<Answer> => {
    const url = new URL(path, origin);
    requests++;
    const giveUpAt = performance.now() + retryTransportMs;
    for (;;) {
      const cookie = jar.headerFor(url);
      try {
        const answer = await httpRequest(url.href, {
          method,
          agent,
          headers: { 'user-agent': userAgent, ...headers, ...(cookie === '' ? {} : { cookie }) },
          ...(body === undefined ? {} : { body }),
        });
        jar.store(answer.setCookies, url);
        const version = versionOf(answer);
        answered.set(version, (answered.get(version) ?? 0) + 1);
        lastAnswerAt.set(version, Date.now());
        return answer;
      } catch (error) {
        if (performance.now() >= giveUpAt) {
          failures.push(`${method} ${path}: ${error instanceof Error ? error.message : String(error)}`);
          throw error;
        }
        retried++;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  };

  const openTab = ({ sendsVersion = false, pageField }: TabOptions = {}): Tab => {
    let page = '';
    const judge = (what: string, answer: Answer): void => {
      const version = versionOf(answer);
      if (version !== '' && version !== page)
        mismatches.push(`${what}: a page of ${page} was answered by ${version}`);
      const said = answer.headers['x-lockstep-version'];
      if (version !== '' && said !== undefined && said !== version) {
        mismatches.push(`${what}: x-lockstep-version says ${String(said)}, the application ${version}`);
      }
    };
    const sub = async (
      kind: Readonly<Record<string, string>>,
      method: string,
      path: string,
      body?: string,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Answer> => {
      const tabHeader = sendsVersion && page !== '' ? { 'x-lockstep-version': page } : {};
      const pageHeader = pageField !== undefined && page !== '' ? { [pageField]: page } : {};
      const of = page;
      const answer = await exchange(
        method,
        path,
        { ...kind, referer: `${origin}/`, ...tabHeader, ...pageHeader, ...headers },
        body,
      );
      // A tab that has been navigated meanwhile no longer cares for the old page's answers.
      if (page === of) judge(`${method} ${path}`, answer);
      return answer;
    };
    const mustSucceed = async (what: string, pending: Promise<Answer>): Promise<Answer> => {
      const answer = await pending;
      if (answer.status < 200 || answer.status > 299) {
        failures.push(`${what}: ${answer.status} ${String(answer.headers['x-lockstep-error'] ?? '')}`);
      }
      return answer;
    };
    return {
      page: () => page,
      load: async (path = '/', headers = {}) => {
        const answer = await mustSucceed(
          `GET ${path}`,
          exchange('GET', path, { ...DOCUMENT, ...headers }, undefined),
        );
        if (answer.status >= 300) return answer;
        page = /data-version="([^"]*)"/.exec(answer.text())?.[1] ?? '';
        judge(`GET ${path}`, answer);
        const assets = [...answer.text().matchAll(/(?:\bsrc|rel="stylesheet" href)="([^"]+)"/g)].map(
          (match) => match[1]!,
        );
        await Promise.all(assets.map((asset) => mustSucceed(`GET ${asset}`, sub(SCRIPT, 'GET', asset))));
        return answer;
      },
      ajax: (path, headers) => mustSucceed(`GET ${path}`, sub(AJAX, 'GET', path, undefined, headers)),
      post: (path, body = '{}') => mustSucceed(`POST ${path}`, sub({ ...AJAX, origin }, 'POST', path, body)),
      send: (method, path, body, headers) => sub(AJAX, method, path, body, headers),
    };
  };

  return {
    jar,
    mismatches,
    failures,
    answered,
    lastAnswerAt,
    requests: () => requests,
    retried: () => retried,
    openTab,
    close: () => agent.destroy(),
  };
}

/** The version of the application that made the answer; '' for an answer of the gateway itself. */
export function versionOf(answer: Answer): string {
  return String(answer.headers[VERSION_FIELD] ?? '');
}
