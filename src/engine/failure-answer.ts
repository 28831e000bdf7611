// The one place that writes a failure of the catalogue as an HTTP answer. Rules:
// - a navigation gets a small page for people, everything else problem+json (RFC 9457); the code is in both;
// - nothing of the request stands in it, so there is nothing to escape and nothing to split;
// - never stored; what has no status in the catalogue is no answer: the connection is closed instead.

import { FAILURES, type Failure, type FailureCode } from '../core/errors.ts';
import type { Decision, RequestFacts } from '../core/route.ts';

// Not imported: see test/unit/start.test.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

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

export interface FailureAnswer {
  readonly status: number;
  readonly reasonPhrase: string;
  /** Names and values by turns. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** How the refusal of a request is to be put. Null: it could not be read that far. */
export function refusalOptions(
  failure: FailureCode,
  decision: Decision | null,
  facts: RequestFacts | null,
  answer: { readonly close: boolean; readonly reload: boolean; readonly wallMs: number },
): FailureOptions {
  const wantsPage = facts?.accept.includes('text/html') ?? false;
  return {
    isNavigation: decision === null ? wantsPage : decision.kind === 'navigation',
    isHead: facts?.method === 'HEAD',
    close: answer.close,
    reload: answer.reload,
    retryAfterSeconds: FAILURES[failure].status === 503 ? 1 : null,
    version: decision?.version?.id ?? '',
    date: new Date(answer.wallMs).toUTCString(),
  };
}

type Kind = 'page' | 'reload-page' | 'problem';

/** Keeps the bodies it has made: there are not many, and under a flood of bad requests they are all the same. */
export class FailureAnswers {
  readonly #bodies = new Map<string, string>();

  /** The whole answer, ASCII only; '' for a failure without an answer. */
  write(code: FailureCode, options: FailureOptions): string {
    if (FAILURES[code].status === 0) return '';
    const { status, reasonPhrase, fields, body } = this.answer(code, options);
    let text = `HTTP/1.1 ${status} ${reasonPhrase}\r\n`;
    for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
    return `${text}\r\n${body}`;
  }

  /** Of a failure that has an answer. */
  answer(code: FailureCode, options: FailureOptions): FailureAnswer {
    const failure = FAILURES[code];
    const body = this.#body(failure, options);
    return {
      status: failure.status,
      reasonPhrase: phrase(failure.status),
      fields: fieldsOf(failure, options, body.length),
      body: options.isHead ? '' : body,
    };
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

function fieldsOf(failure: Failure, options: FailureOptions, length: number): string[] {
  const { status, code } = failure;
  const type = options.isNavigation ? 'text/html; charset=utf-8' : 'application/problem+json';
  const fields = ['Date', options.date, 'Content-Type', type, 'Content-Length', String(length)];
  fields.push('Cache-Control', 'no-store', 'x-lockstep-error', code);
  if (options.reload) fields.push('x-lockstep-reload', '1');
  if (options.version !== '') fields.push('x-lockstep-version', options.version);
  if (status === 503 && options.retryAfterSeconds !== null) {
    fields.push('Retry-After', String(Math.max(0, Math.ceil(options.retryAfterSeconds))));
  }
  // RFC 9110 section 15.5.6: a 405 says what is served. All but CONNECT and TRACE is the application's to judge.
  if (status === 405) fields.push('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  if (options.close || failure.closes) fields.push('Connection', 'close');
  return fields;
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
