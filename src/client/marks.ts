// Names the page's version in what the page asks its own origin for: in a field where one can be set, else in the query,
// out of which the gateway takes it again. Other origins are left alone: a field of ours would cause a preflight there.
// Each built-in is wrapped in a Proxy, so that name, length, statics, prototype and `instanceof` stay; one that cannot be
// replaced (frozen globals) stays as it is.

import type { PageOrigin } from './page-origin.ts';
import type { Reloader } from './reloader.ts';
import type { HearAnswer } from './updates.ts';

// biome-ignore lint/suspicious/noExplicitAny: built-ins are called with whatever the page gives
type Any = any;

const FIELD = 'x-lockstep-version';
const MARK = '__lockstep=';

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: taken apart, it would hand so much around that the file grows
export function markRequests(
  { version, except }: PageOrigin,
  answered: HearAnswer,
  sending: Reloader['sending'],
): void {
  /** Null where it is not of the page's origin, or left as it is. Throws what is no address. */
  const own = (input: Any): URL | null => {
    const url = new URL(input, document.baseURI);
    const isOwn = url.href.replace(/^ws/, 'http').startsWith(`${location.origin}/`);
    return isOwn && !(except && url.pathname.match(except)) ? url : null;
  };
  /** With the version in the query; what is not ours comes back as it was. */
  const marked = (input: Any): Any => {
    try {
      const url = version && own(input);
      if (!url || url.search.includes(MARK)) return input;
      url.search += (url.search ? '&' : '?') + MARK + version;
      return url.href;
    } catch {
      return input;
    }
  };
  /** A request begins; the function hears how it ended: fields are only read of what the page's own origin answered. */
  const began = (isSafe: boolean) => {
    const ended = isSafe ? null : sending();
    return (url?: string, status?: number, field?: (name: string) => string | null): void => {
      const isOwn = url && own(url);
      ended?.(isOwn && /^2/.test(status as Any));
      if (isOwn) answered(url, status!, field!);
    };
  };

  wrap(globalThis, 'fetch', {
    apply(target, self, args) {
      const [input, init] = args;
      const call = (request: Any): Promise<Response> =>
        Reflect.apply(target, self, request ? [request] : args);
      const copy = (): Request => new Request(input, init);
      const address = input?.url ?? input;
      const isSafe = isSafeMethod(init?.method ?? input?.method);
      const ended = began(isSafe);
      let named: Request | null = null;
      try {
        if (version && own(address)) {
          named = copy();
          if (!named.headers.has(FIELD)) named.headers.set(FIELD, version);
        }
      } catch {}
      return call(named)
        .catch((error) => {
          // A redirect to another origin takes the field along, and a preflight there may refuse it: once more without.
          if (named && isSafe && error instanceof TypeError)
            return call(new Request(marked(address), copy()));
          throw error;
        })
        .then(
          (answer) => {
            ended(answer.url, answer.status, (name) => answer.headers.get(name));
            return answer;
          },
          // Handed on: a rejection that nobody handles is still reported as one.
          (error) => {
            ended();
            throw error;
          },
        );
    },
  });

  wrap(XMLHttpRequest.prototype, 'open', {
    apply(target, self: XMLHttpRequest, args) {
      Reflect.apply(target, self, args);
      if (version && own(args[1])) self.setRequestHeader(FIELD, version);
      const once = { once: true };
      const start = (): void => {
        const ended = began(isSafeMethod(args[0]));
        self.addEventListener(
          'loadend',
          () => ended(self.responseURL, self.status, (name) => self.getResponseHeader(name)),
          once,
        );
      };
      self.addEventListener('loadstart', start, once);
    },
  });

  const markedFirst = ([url, ...more]: Any[]): Any[] => (url === undefined ? [] : [marked(url), ...more]);
  const construct = (target: Any, args: Any[], made: Any): object =>
    Reflect.construct(target, markedFirst(args), made);
  wrap(globalThis, 'EventSource', { construct });
  wrap(globalThis, 'WebSocket', { construct });
  wrap(Navigator.prototype, 'sendBeacon', {
    apply: (target, self, args) => Reflect.apply(target, self, markedFirst(args)),
  });
}

function isSafeMethod(method = 'GET'): boolean {
  return /^(get|head|options)$/i.test(method);
}

function wrap(owner: Any, name: string, handler: ProxyHandler<Any>): void {
  try {
    owner[name] = new Proxy(owner[name], handler);
  } catch {}
}
