// lockstep preview ID: a link for who is to see a version before others do; --end takes all of them back.

import type { PreviewReport } from '../core/status.ts';
import { change, versionPath } from './change.ts';
import { EXIT, usageFailure } from './failure.ts';
import { tellClock, tellSpan, wrap } from './text.ts';
import {
  type Call,
  CHANGE_OPTIONS,
  clientOf,
  isSet,
  printJson,
  textOf,
  type Verb,
  versionIdOf,
} from './verb.ts';

export const preview: Verb = {
  name: 'preview',
  usage: 'preview ID [--for 2h] [--url https://SITE] [--to /PATH] [--tab] | preview ID --end',
  summary:
    'Prints a signed link that shows a version, staged or not, in the browser that opens it. Nobody else gets it.',
  options: {
    for: { type: 'string', value: 'TIME', help: 'how long it counts, 1m to 168h; default 2h' },
    url: { type: 'string', value: 'URL', help: 'of the site, to stand before the link' },
    to: { type: 'string', value: 'PATH', help: 'where the link leads; default /' },
    browser: { type: 'boolean', help: 'a link, for the whole browser; this is the default' },
    tab: { type: 'boolean', help: 'a header instead, for clients that set headers themselves' },
    end: { type: 'boolean', help: 'end all previews of ID' },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version', states: ['staged', 'canary', 'active', 'draining'] }],
  async run(call) {
    const id = versionIdOf(call);
    if (isSet(call, 'end')) {
      const fallback = `The previews of ${id} have ended.`;
      return change(call, versionPath(id, 'preview'), { method: 'DELETE' }, fallback);
    }
    const site = siteOf(call);
    const scope = isSet(call, 'tab') ? 'tab' : 'browser';
    if (scope === 'tab' && isSet(call, 'browser'))
      throw usageFailure('expected --tab or --browser', call.verb);
    const body = { scope, ...given(call, 'for'), ...given(call, 'to') };
    const made = (await clientOf(call).call(versionPath(id, 'preview'), {
      method: 'POST',
      body,
    })) as PreviewReport;
    const { terminal } = call;
    if (isSet(call, 'json')) printJson(terminal, made);
    else terminal.out(tellPreview(made, site, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};

function given(call: Call, option: string): Record<string, string> {
  const text = textOf(call, option);
  return text === null ? {} : { [option]: text };
}

/** Its origin; '' when none was given. */
function siteOf(call: Call): string {
  const text = textOf(call, 'url');
  if (text === null) return '';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
  throw usageFailure('--url: expected the address of the site, such as https://shop.example', call.verb);
}

/** The secret has a line of its own, whole, so that it can be copied. */
export function tellPreview(
  { version, until, link, field }: PreviewReport,
  site: string,
  {
    nowMs,
    timeZone,
    columns,
  }: { readonly nowMs: number; readonly timeZone: string | undefined; readonly columns?: number },
): string {
  const untilMs = Date.parse(until);
  const ends = `until ${tellClock(untilMs, nowMs, timeZone)} (${tellSpan(untilMs - nowMs)})`;
  const what =
    link === null
      ? `Requests with this header get ${version} ${ends}:`
      : `Who opens this${site === '' ? ', on your site,' : ''} gets ${version} in that browser ${ends}:`;
  const more =
    link === null
      ? 'A browser cannot set it for a page load; a private window and a link without --tab can.'
      : 'It is a secret. /.lockstep/preview?end=1 ends it in that browser, lockstep preview --end everywhere.';
  return [
    ...wrap(what, '', columns),
    '',
    link === null ? field : `${site}${link}`,
    '',
    ...wrap(more, '', columns),
    '',
  ].join('\n');
}
