// lockstep check --config FILE: every problem of the file at once, as file:line: key: expected …, got …

import type { Config } from '../config/config.ts';
import { EXIT } from './failure.ts';
import { count } from './text.ts';
import { isSet, printJson, requiredText, type Verb } from './verb.ts';

export const check: Verb = {
  name: 'check',
  usage: 'check --config FILE',
  summary: 'Reads a configuration file and lists every problem in it.',
  options: {
    json: { type: 'boolean', help: 'print { ok, problems, warnings }' },
    config: { type: 'string', value: 'FILE', completes: { kind: 'file' }, help: 'the YAML file' },
  },
  positionals: [0, 0],
  async run(call) {
    const file = requiredText(call, 'config');
    // Only here: no other verb of the command line needs the config schemas.
    const { formatProblem, loadConfig } = await import('../config/load.ts');
    const loaded = await loadConfig(file, call.terminal.env);
    if (isSet(call, 'json')) {
      const { ok } = loaded;
      printJson(
        call.terminal,
        loaded.ok ? { ok, problems: [], warnings: loaded.warnings } : { ok, problems: loaded.problems },
      );
      return loaded.ok ? EXIT.done : EXIT.failed;
    }
    if (loaded.ok) {
      for (const warning of loaded.warnings) call.terminal.err(`${warning}\n`);
      call.terminal.out(summarize(file, loaded.config));
      return EXIT.done;
    }
    for (const problem of loaded.problems) call.terminal.err(`${formatProblem(problem)}\n`);
    return EXIT.failed;
  },
};

export function summarize(file: string, { listen, admin, versions, active, stateDir }: Config): string {
  const at = (host: string, port: number) => `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const where = 'socket' in admin ? `unix:${admin.socket}` : at(admin.host, admin.port);
  const nobodyElse = 'socket' in admin ? 'its owner only' : 'loopback only';
  const tokens = admin.tokens.length === 0 ? `no tokens: ${nobodyElse}` : count(admin.tokens.length, 'token');
  const names = versions.length === 0 ? '' : ` (${versions.map(({ id }) => id).join(', ')})`;
  const first = active === null ? '' : `, ${active} active at the first start`;
  return [
    `${file} is good.`,
    `  listens on   ${listen.map(({ host, port }) => at(host, port)).join(', ')}`,
    `  admin API    ${where}, ${tokens}`,
    `  versions     ${versions.length}${names}${first}`,
    `  state        ${stateDir}`,
    '',
  ].join('\n');
}
