// The one place that writes a failure of the catalogue as an HTTP answer. Rules:
// - a navigation gets a small page for people, everything else problem+json (RFC 9457); the code is in both;
// - nothing of the request stands in it, so there is nothing to escape and nothing to split;
// - never stored; what has no status in the catalogue is no answer: the connection is closed instead.

import { STATUS_CODES } from 'node:http';
import { FAILURES, type Failure, type FailureCode } from '../core/errors.ts';

export interface FailureOptions {
  readonly isNavigation: boolean;
  readonly isHead: boolean;
  /** Say `Connection: close`; said as well for failures that always close. */
  readonly close: boolean;
  /** x-lockstep-reload: the page is of a version that is gone. */
  readonly reload: boolean;
  /** For a 503; null for no Retry-After. */
  readonly retryAfterSeconds: number | null;
  /** The version that was meant to answer; '' for none. */
  readonly version: string;
  /** IMF-fixdate (RFC 9110 section 6.6.1). */
  readonly date: string;
}

type Kind = 'page' | 'reload-page' | 'problem';

/** Keeps the bodies it has made: there are not many, and under a flood of bad requests they are all the same. */
export class FailureAnswers {
  readonly #bodies = new Map<string, string>();

  /** Head and body, ASCII only; '' for a failure without an answer. */
  write(code: FailureCode, options: FailureOptions): string {
    const failure = FAILURES[code];
    if (failure.status === 0) return '';
    const body = this.#body(failure, options);
    return `${head(failure, options, body.length)}\r\n${options.isHead ? '' : body}`;
  }

  #body(failure: Failure, { isNavigation, reload }: FailureOptions): string {
    const kind: Kind = isNavigation ? (reload ? 'reload-page' : 'page') : 'problem';
    const key = `${kind} ${failure.code}`;
    let body = this.#bodies.get(key);
    if (body === undefined) {
      body = kind === 'problem' ? problem(failure) : page(failure, kind === 'reload-page');
      this.#bodies.set(key, body);
    }
    return body;
  }
}

function head(failure: Failure, options: FailureOptions, length: number): string {
  const { status, code } = failure;
  const type = options.isNavigation ? 'text/html; charset=utf-8' : 'application/problem+json';
  let lines = `HTTP/1.1 ${status} ${phrase(status)}\r\nDate: ${options.date}\r\n`;
  lines += `Content-Type: ${type}\r\nContent-Length: ${length}\r\nCache-Control: no-store\r\n`;
  lines += `x-lockstep-error: ${code}\r\n`;
  if (options.reload) lines += 'x-lockstep-reload: 1\r\n';
  if (options.version !== '') lines += `x-lockstep-version: ${options.version}\r\n`;
  if (status === 503 && options.retryAfterSeconds !== null) {
    lines += `Retry-After: ${Math.max(0, Math.ceil(options.retryAfterSeconds))}\r\n`;
  }
  // RFC 9110 section 15.5.6: a 405 says what is served. All but CONNECT and TRACE is the application's to judge.
  if (status === 405) lines += 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';
  if (options.close || failure.closes) lines += 'Connection: close\r\n';
  return lines;
}

/** RFC 9457 section 4.2.1: the title of `about:blank` is the status's own phrase. */
function problem({ status, code, title }: Failure): string {
  return JSON.stringify({ type: 'about:blank', title: phrase(status), status, detail: title, code });
}

function page({ status, code, title }: Failure, hasReload: boolean): string {
  const heading = hasReload ? 'Please reload this page' : phrase(status);
  // An empty reference is the page's own address (RFC 3986 section 4.4), asked for anew and with GET.
  const reload = hasReload ? '<p><a href="">Reload</a></p>\n' : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}</title>
<style>
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif; }
body { margin: 15vh auto; padding: 0 1.5rem; max-width: 34rem; }
h1 { font-size: 1.5rem; }
small { opacity: 0.7; }
</style>
</head>
<body>
<main>
<h1>${heading}</h1>
<p>${title}</p>
${reload}<p><small>${status} ${code}</small></p>
</main>
</body>
</html>
`;
}

function phrase(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}
