// lockstep reload: the gateway reads its configuration file again.

import type { ReloadReport } from '../core/settings.ts';
import { ifMatchOf } from './change.ts';
import { tellValue } from './config.ts';
import { EXIT } from './failure.ts';
import { callOnce } from './once.ts';
import { printable, wrap } from './text.ts';
import { CHANGE_OPTIONS, clientOf, isSet, printJson, type Verb } from './verb.ts';

export const reload: Verb = {
  name: 'reload',
  usage: 'reload',
  summary: 'Has the gateway read its configuration file again; with a problem in it nothing changes.',
  options: CHANGE_OPTIONS,
  positionals: [0, 0],
  async run(call) {
    const report = (await callOnce(clientOf(call), '/v1/reload', {
      method: 'POST',
      query: isSet(call, 'dry-run') ? { dryRun: 'true' } : {},
      headers: ifMatchOf(call),
    })) as ReloadReport;
    if (isSet(call, 'json')) printJson(call.terminal, report);
    else call.terminal.out(renderReload(report, call.terminal.columns));
    return EXIT.done;
  },
};

export function renderReload(
  { dryRun, changed, needsRestart, warnings, notes, versions }: ReloadReport,
  columns?: number,
): string {
  const lines = [
    ...changed.map(({ key, from, to }) => `${key}: ${tellValue(from)} → ${tellValue(to)}`),
    ...versions.map(({ id, from, to }) => `${id}: ${from ?? 'not known'} → ${to ?? 'forgotten'}`),
    ...needsRestart.map(
      ({ key, from, to }) =>
        `! ${key} needs a restart: ${tellValue(from)} stays, the file says ${tellValue(to)}`,
    ),
    ...[...warnings, ...notes].map((sentence) => `! ${printable(sentence)}`),
  ];
  const told = lines.length > 0 ? lines : ['Nothing differs: what the file says is in force.'];
  const all = dryRun ? ['Dry run, nothing was changed. It would be so:', ...told] : told;
  return `${all.flatMap((line) => wrap(line, '  ', columns)).join('\n')}\n`;
}
