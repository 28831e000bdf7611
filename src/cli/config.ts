// lockstep config: every setting in force and where its value comes from. Pure but for the one request.

import type { Setting, SettingsReport } from '../core/settings.ts';
import { EXIT } from './failure.ts';
import type { Now } from './report.ts';
import { printable, tellClock, tellSpan, wrap } from './text.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, type Verb } from './verb.ts';

export const config: Verb = {
  name: 'config',
  usage: 'config',
  summary: 'Shows every setting in force, and whether file, environment, default or state says so.',
  options: ADMIN_OPTIONS,
  positionals: [0, 0],
  async run(call) {
    const { terminal } = call;
    const report = (await clientOf(call).call('/v1/config')) as SettingsReport;
    if (isSet(call, 'json')) printJson(terminal, report);
    else terminal.out(renderSettings(report, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};

/** Lines that begin with `!` are what is not in force before a restart, or is warned of. */
export function renderSettings(report: SettingsReport, { nowMs, timeZone, columns }: Now): string {
  const { file, loadedAt, settings, warnings } = report;
  const loadedMs = Date.parse(loadedAt);
  const read = `read ${tellClock(loadedMs, nowMs, timeZone)} (${tellSpan(nowMs - loadedMs)} ago)`;
  const keyWidth = Math.max(0, ...settings.map(({ key }) => key.length));
  const fromWidth = Math.max(0, ...settings.map((setting) => tellFrom(setting).length));
  const rows = settings.flatMap((setting) => {
    const head = `${setting.key.padEnd(keyWidth)}  ${tellFrom(setting).padEnd(fromWidth)}  `;
    return wrap(`${head}${tellInForce(setting)}`, ' '.repeat(head.length), columns).map((line) =>
      line.trimEnd(),
    );
  });
  const pending = settings.flatMap((setting) => tellPending(setting));
  const blocks = [
    [file === null ? 'There is no file: a program gave the configuration.' : `${printable(file)}, ${read}`],
    rows,
    [...pending, ...warnings.map(printable)].flatMap((line) => wrap(`! ${line}`, '  ', columns)),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** A value of a setting as a person would write it. */
export function tellValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.map(tellValue).join(', ');
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}

function tellFrom({ from, line }: Setting): string {
  return line === null ? from : `line ${line}`;
}

function tellInForce({ value, variables }: Setting): string {
  const names = variables.map((name) => `$${name}`).join(' ');
  return names === '' ? tellValue(value) : `${tellValue(value)} (${names})`;
}

function tellPending({ key, value, pending }: Setting): string[] {
  if (pending === null) return [];
  const where = pending.line === null ? 'by default' : `on line ${pending.line}`;
  return [
    `${key} needs a restart: the file says ${tellValue(pending.value)} ${where}, ${tellValue(value)} is in force`,
  ];
}
