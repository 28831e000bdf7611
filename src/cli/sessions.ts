// lockstep sessions [ID]

import type { SessionHistogram, Status } from '../core/status.ts';
import { versionPath } from './change.ts';
import { EXIT } from './failure.ts';
import { count, tellSpan } from './text.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, type Verb, versionIdOf } from './verb.ts';

/** Of a line before its bar: `  up to 11h 39m     123456  `. */
const BEFORE_BAR = 27;
const NARROWEST_BAR = 10;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

export const sessions: Verb = {
  name: 'sessions',
  usage: 'sessions [ID]',
  summary: 'Shows how long ago the sessions of a version, or of every version with sessions, were last seen.',
  options: ADMIN_OPTIONS,
  positionals: [0, 1],
  arguments: [{ kind: 'version' }],
  async run(call) {
    const { terminal, positionals } = call;
    const client = clientOf(call);
    const ask = async (id: string) => (await client.call(versionPath(id, 'sessions'))) as SessionHistogram;
    if (positionals.length === 1) {
      const one = await ask(versionIdOf(call));
      if (isSet(call, 'json')) printJson(terminal, one);
      else terminal.out(renderHistogram(one, terminal.columns));
      return EXIT.done;
    }
    const { versions } = (await client.call('/v1/status')) as Status;
    const all = await Promise.all(versions.filter((one) => one.sessions.live > 0).map(({ id }) => ask(id)));
    if (isSet(call, 'json')) printJson(terminal, all);
    else
      terminal.out(
        all.length === 0
          ? 'No live sessions.\n'
          : all.map((one) => renderHistogram(one, terminal.columns)).join('\n'),
      );
    return EXIT.done;
  },
};

export function renderHistogram(histogram: SessionHistogram, columns: number): string {
  const { version, live, confirmed, streams, lastSeen } = histogram;
  const most = Math.max(1, ...lastSeen.map(({ count: sessionsIn }) => sessionsIn));
  const rows = lastSeen.map(({ le, count: sessionsIn }, index) => {
    const below = lastSeen[index - 1]?.le ?? 0;
    const age = le === null ? `over ${tellSpan(below * 1000)}` : `up to ${tellSpan(le * 1000)}`;
    const bar = tellBar(sessionsIn / most, Math.max(NARROWEST_BAR, columns - BEFORE_BAR));
    return `  ${age.padEnd(14)}${String(sessionsIn).padStart(9)}  ${bar}`.trimEnd();
  });
  const head = `${version}: ${live} live, ${confirmed} confirmed, ${count(streams, 'stream')}; last seen`;
  return `${[head, ...rows].join('\n')}\n`;
}

/** A share of the width, to an eighth of a character; what is not nothing is seen. */
function tellBar(share: number, width: number): string {
  const eighths = share === 0 ? 0 : Math.max(1, Math.round(share * width * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}
