// lockstep skew: what was answered by another version than that of the page that asked.

import type { SkewReport } from '../core/status.ts';
import { EXIT } from './failure.ts';
import type { Now } from './report.ts';
import { type Column, renderTable } from './table.ts';
import { COLUMNS, count, printable, tellClock, tellSpan, wrap } from './text.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, type Verb } from './verb.ts';

const TABLE: readonly Column[] = [
  { title: 'PAGE' },
  { title: 'ANSWERED BY' },
  { title: 'REQUESTS', align: 'right' },
  { title: 'LATEST', spare: 2 },
  { title: 'REQUEST', spare: 1 },
  { title: 'PATH', wraps: true },
];

export const skew: Verb = {
  name: 'skew',
  usage: 'skew',
  summary:
    "Shows which requests were answered by another version than their page's, since the gateway started.",
  options: ADMIN_OPTIONS,
  positionals: [0, 0],
  async run(call) {
    const { terminal } = call;
    const report = (await clientOf(call).call('/v1/skew')) as SkewReport;
    if (isSet(call, 'json')) printJson(terminal, report);
    else terminal.out(renderSkew(report, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};

export function renderSkew({ since, requests, paths }: SkewReport, now: Now): string {
  const { nowMs, timeZone, columns } = now;
  const clock = (iso: string) => tellClock(Date.parse(iso), nowMs, timeZone);
  const began = `${clock(since)} (${tellSpan(nowMs - Date.parse(since))} ago)`;
  if (requests === 0) return `${wrap(`No skew seen since ${began}.`, '', columns).join('\n')}\n`;
  const rows = paths.map(({ page, version, path, requests: times, lastAt, request }) => [
    page,
    version,
    String(times),
    clock(lastAt),
    request,
    printable(path),
  ]);
  const head = `${count(requests, 'skewed request')} since ${began}. lockstep explain --request ID says why one went where it went.`;
  const listed = paths.reduce((sum, { requests: times }) => sum + times, 0);
  const rest = listed < requests ? ['', `and ${requests - listed} at other paths`] : [];
  return `${[...wrap(head, '', columns), '', ...renderTable(TABLE, rows, columns ?? COLUMNS), ...rest].join('\n')}\n`;
}
