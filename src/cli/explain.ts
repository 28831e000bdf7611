// lockstep explain URL, or lockstep explain --request ID

import type { ToldExplanation } from '../core/explain.ts';
import { renderExplanation } from './explanation-text.ts';
import { EXIT, usageFailure } from './failure.ts';
import { ADMIN_OPTIONS, type Call, clientOf, isSet, printJson, textOf, type Verb } from './verb.ts';

/** Whoever says one of these says what kind of request it is; otherwise a page is asked for, as by a browser. */
const KIND_FIELDS = ['accept', 'sec-fetch-dest', 'sec-fetch-mode', 'x-lockstep-version', 'upgrade'];

export const explain: Verb = {
  name: 'explain',
  usage: 'explain URL [--cookie C]… [--header F]… [--method M] | --request ID',
  summary: 'Tells where a request would go, or one of the access log went, and why.',
  options: {
    request: { type: 'string', value: 'ID', help: 'a request of the access log, by its id' },
    cookie: { type: 'string', multiple: true, value: "'N=V'", help: 'a cookie; again for each one' },
    header: { type: 'string', multiple: true, value: "'N: V'", help: 'a header field; again for each one' },
    method: { type: 'string', value: 'M', help: 'default GET, of a page when no --header says otherwise' },
    client: { type: 'string', value: 'IP', help: "the client's address; counts for new sessions" },
    ...ADMIN_OPTIONS,
  },
  positionals: [0, 1],
  async run(call) {
    const { terminal } = call;
    const body = askedOf(call);
    const told = (await clientOf(call).call('/v1/explain', { method: 'POST', body })) as ToldExplanation;
    if (isSet(call, 'json')) printJson(terminal, told);
    else terminal.out(renderExplanation(told, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};

function askedOf(call: Call): Readonly<Record<string, unknown>> {
  const request = textOf(call, 'request');
  const url = call.positionals[0];
  if ((request === null) === (url === undefined)) {
    throw usageFailure('expected either a URL or --request ID', call.verb);
  }
  if (request !== null) {
    const other = ['cookie', 'header', 'method', 'client'].find((name) => call.values[name] !== undefined);
    if (other !== undefined) throw usageFailure(`--${other}: expected without --request`, call.verb);
    return { request };
  }
  const method = textOf(call, 'method');
  const client = textOf(call, 'client');
  return {
    url,
    headers: headersOf(call, method ?? 'GET'),
    ...(method !== null && { method }),
    ...(client !== null && { client }),
  };
}

function headersOf(call: Call, method: string): Record<string, string> {
  const headers = new Map<string, string>();
  const add = (name: string, value: string) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
  };
  for (const field of (call.values['header'] as string[] | undefined) ?? []) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*?)\s*$/.exec(field);
    if (match === null) throw usageFailure("--header: expected 'NAME: VALUE'", call.verb);
    add(match[1]!.toLowerCase(), match[2]!);
  }
  for (const cookie of (call.values['cookie'] as string[] | undefined) ?? []) {
    if (!cookie.includes('=')) throw usageFailure("--cookie: expected 'NAME=VALUE'", call.verb);
    add('cookie', cookie);
  }
  if (method === 'GET' && !KIND_FIELDS.some((name) => headers.has(name))) headers.set('accept', 'text/html');
  return Object.fromEntries(headers);
}
