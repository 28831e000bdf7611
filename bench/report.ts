// The report: Markdown for people, JSON with every sample for programs.

import type { Metric, Sample, Work } from './bench.ts';
import type { Machine } from './machine.ts';
import { casesOf, metricsOf, ratioOf, SUBJECT, type Verdict, valuesOf, verdicts } from './results.ts';
import type { Spread } from './stats.ts';

export interface Report {
  readonly commit: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly tookSeconds: number;
  readonly machine: Machine;
  readonly loader: string;
  readonly rounds: number;
  readonly secondsEach: number;
  readonly peers: readonly { readonly name: string; readonly title: string; readonly version: string }[];
  readonly missing: readonly { readonly name: string; readonly why: string }[];
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
}

const TITLES: Readonly<Record<Metric, string>> = {
  cpuUs: 'CPU µs each',
  perSecond: 'per second',
  peakMiB: 'memory MiB',
  p50Us: 'p50 µs',
  p99Us: 'p99 µs',
  p999Us: 'p99.9 µs',
  bytes: 'bytes',
  ms: 'ms',
  ratio: 'ratio',
};

export function asJson(report: Report): string {
  return `${JSON.stringify({ ...report, verdicts: verdicts(report.samples) }, null, 1)}\n`;
}

export function asMarkdown(report: Report, works: readonly Work[]): string {
  const measured = works.filter(({ name }) => casesOf(report.samples, name).length > 0);
  return [
    '# Bench report\n',
    ...about(report),
    '## Targets\n',
    targets(verdicts(report.samples), measured),
    ...measured.flatMap((work) => [`## ${work.number}. ${work.title}\n`, ...tables(report, work)]),
    ...(report.notes.length === 0
      ? []
      : ['## Notes\n', `${report.notes.map((one) => `- ${one}`).join('\n')}\n`]),
  ].join('\n');
}

function about(report: Report): readonly string[] {
  const { machine, peers, missing } = report;
  const lines = [
    `- commit ${report.commit}, ${report.startedAt}, took ${Math.round(report.tookSeconds)} s`,
    `- ${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ` +
      `load average before ${machine.loadBefore.toFixed(1)}`,
    `- ${report.rounds} rounds in turns, ${report.secondsEach} s each; load by ${report.loader}`,
    ...(report.loader === 'autocannon'
      ? ['- autocannon itself may be the bottleneck: requests a second are a lower bound']
      : []),
    `- ${peers.map(({ title, version }) => `${title} ${version}`).join(' · ')}`,
    ...missing.map(({ name, why }) => `- ${name} is missing: ${why}`),
  ];
  return [`${lines.join('\n')}\n`, 'Medians, with the least and the most of all rounds in brackets.\n'];
}

function targets(all: readonly Verdict[], works: readonly Work[]): string {
  const rows = all.map(({ target, case: name, reached, isMet }) => {
    const number = works.find((work) => work.name === target.work)?.number ?? '?';
    const what =
      target.against === null ? TITLES[target.metric] : `${TITLES[target.metric]} / ${target.against}`;
    const miss = `missed by ${percent(reached.median / target.atMost - 1)}`;
    return [
      number,
      name,
      what,
      `≤ ${figure(target.atMost)}`,
      spreadText(reached),
      isMet ? 'met' : `**${miss}**`,
    ];
  });
  return table(['work', 'case', 'what', 'target', 'reached', ''], rows);
}

function tables({ samples, peers }: Report, work: Work): readonly string[] {
  return casesOf(samples, work.name).map((name) => {
    const metrics = metricsOf(samples, work.name, name);
    const ratioMetric = metrics.find((one) => one === 'cpuUs') ?? metrics.find((one) => one === 'p99Us');
    const here = { work: work.name, case: name };
    const present = peers.filter(({ name: peer }) =>
      samples.some((one) => one.work === work.name && one.case === name && one.peer === peer),
    );
    const hasRatios = ratioMetric !== undefined && present.length > 1;
    const rows = present.map(({ name: peer, title }) => [
      title,
      ...metrics.map((metric) => spreadText(valuesOf(samples, { ...here, peer, metric }))),
      ...(hasRatios
        ? [peer === SUBJECT ? '' : spreadText(ratioOf(samples, { ...here, metric: ratioMetric }, peer))]
        : []),
    ]);
    const head = [
      'peer',
      ...metrics.map((metric) => TITLES[metric]),
      ...(hasRatios ? ['Lockstep’s ratio'] : []),
    ];
    return `### ${name}\n\n${table(head, rows)}`;
  });
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}

function spreadText({ median, least, most, count }: Spread): string {
  if (count === 0) return '–';
  return count === 1 ? figure(median) : `${figure(median)} (${figure(least)}–${figure(most)})`;
}

/** Three digits that count; whole numbers from 100 on. */
function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
