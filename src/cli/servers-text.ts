// Servers as a table for people, what is wrong with their sources below it, and what a change did. Pure.

import type { ServerChangeReport, ServerStatus, ServersReport } from '../core/server-report.ts';
import type { Now } from './report.ts';
import { type Column, renderTable } from './table.ts';
import { COLUMNS, count, printable, tellClock, tellSpan, wrap } from './text.ts';

const TABLE: readonly Column[] = [
  { title: 'SERVER' },
  { title: 'ADDRESS' },
  { title: 'VERSION' },
  { title: 'HEALTH' },
  { title: 'FROM', spare: 1 },
];

type Source = ServersReport['sources'][number];

export function tellServers(report: ServersReport, now: Now): string {
  const { columns = COLUMNS } = now;
  const paragraph = (text: string) => wrap(printable(text), '  ', columns);
  if (!report.discovery) {
    return lines(
      paragraph(
        'No server is known: the configuration has no discovery. Versions have the servers that are put or declared.',
      ),
    );
  }
  const rows = report.servers.map(({ name, address, version, health, sources }) => [
    printable(name),
    name === address ? '' : printable(address),
    printable(version ?? '-'),
    health,
    sources.join(', '),
  ]);
  const table = rows.length === 0 ? ['No server is known.'] : renderTable(TABLE, rows, columns);
  const remarks = remarksOf(report, now).flatMap((remark) => paragraph(`! ${remark}`));
  return lines(remarks.length === 0 ? table : [...table, '', ...remarks]);
}

export function tellServerChange(
  { dryRun, server, isKnown }: ServerChangeReport,
  what: 'added' | 'removed',
  { columns = COLUMNS }: Now,
): string {
  const who = printable(
    server.name === server.address ? server.address : `${server.name} (${server.address})`,
  );
  const sentence =
    what === 'added'
      ? `${who} is added. ${tellPlace(server)}`
      : isKnown
        ? `${who} is no longer yours, and stays: ${others(server)} has it too.`
        : `${who} is removed: it gets no new requests, and what is under way there is finished.`;
  const told = wrap(sentence, '', columns);
  return lines(dryRun ? ['Dry run, nothing was changed. It would be so:', ...told] : told);
}

function tellPlace({ version }: ServerStatus): string {
  return version === null
    ? 'It joins the pool of the version that it runs.'
    : `It stands in the pool of ${printable(version)}.`;
}

function others({ sources }: ServerStatus): string {
  return sources.filter((source) => source !== 'admin').join(' and ');
}

function remarksOf({ servers, sources, leftOut, clashes }: ServersReport, now: Now): readonly string[] {
  return [
    ...servers.filter(({ why }) => why !== null).map(({ name, why }) => `${name} stands in no pool: ${why}.`),
    ...sources.flatMap((source) => remarksOfSource(source, now)),
    ...clashes.map(
      ({ name, addresses }) =>
        `${name} is given to ${addresses.join(' and ')}: the first has it, others go by their addresses.`,
    ),
    ...(leftOut > 0 ? [`There is no room for ${count(leftOut, 'server')} more: left out.`] : []),
  ];
}

function remarksOfSource(source: Source, { nowMs, timeZone }: Now): readonly string[] {
  const { trouble, missing, refused, isLeaving } = source;
  const who = source.of === null ? source.source : `${source.source} ${source.of}`;
  const since = (iso: string) => {
    const atMs = Date.parse(iso);
    return `${tellClock(atMs, nowMs, timeZone)} (${tellSpan(nowMs - atMs)} ago)`;
  };
  return [
    ...(trouble === null
      ? []
      : [`${who}, since ${since(trouble.since)}: ${trouble.why}. What it told last stays in force.`]),
    ...(missing > 0
      ? [
          `${who}: ${count(missing, 'server')} missing in the last answer; gone when the next one lacks them too.`,
        ]
      : []),
    ...refused.map((why) => `${who}: left out: ${why}.`),
    ...(isLeaving ? [`${who} is no longer configured, and goes when what is new has told of servers.`] : []),
  ];
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
