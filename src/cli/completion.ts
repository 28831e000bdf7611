// lockstep completion bash|zsh|fish: the script that a shell sources. The script asks this very verb, with --line, for
// what could follow; so that help, parser and completion cannot disagree, and a new verb is completed at once.

import type { ServersReport } from '../core/server-report.ts';
import type { Status } from '../core/status.ts';
import { candidatesFor, type Lookup } from './candidates.ts';
import { completionScript, SHELLS, type Shell } from './completion-scripts.ts';
import { EXIT, usageFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';
import { clientOf, textOf, type Verb } from './verb.ts';

/** Somebody waits with a finger on the tab key: without versions rather than late. */
const ANSWER_MS = 500;

export function completionVerb(verbs: () => readonly Verb[]): Verb {
  return {
    name: 'completion',
    usage: 'completion bash|zsh|fish',
    summary: 'Prints a script for your shell: commands, options and versions with the tab key.',
    options: {
      line: { type: 'string', value: 'TEXT', help: 'print what could follow on this line instead' },
    },
    arguments: [{ kind: 'words', words: SHELLS }],
    positionals: [1, 1],
    async run(call) {
      const { terminal } = call;
      const shell = call.positionals[0];
      if (!isShell(shell))
        throw usageFailure(`expected bash, zsh or fish, got ${JSON.stringify(shell)}`, call.verb);
      const line = textOf(call, 'line');
      if (line === null) {
        terminal.out(completionScript(shell));
        return EXIT.done;
      }
      const found = await candidatesFor(line, verbs(), lookupOf(terminal));
      terminal.out(found.map(({ text, about }) => `${text}\t${about}\n`).join(''));
      return EXIT.done;
    },
  };
}

function isShell(text: string | undefined): text is Shell {
  return SHELLS.some((shell) => shell === text);
}

/** Says nothing of what goes wrong: a completion is no place for it. */
function lookupOf(terminal: Terminal): Lookup {
  const ask = async (path: string, values: Readonly<Record<string, string>>): Promise<unknown> => {
    try {
      const client = clientOf({ verb: 'completion', terminal, positionals: [], values });
      const signal = AbortSignal.timeout(ANSWER_MS);
      return await client.call(path, { signal, answerMs: ANSWER_MS });
    } catch {
      return null;
    }
  };
  return {
    versions: async (values) => ((await ask('/v1/status', values)) as Status | null)?.versions ?? [],
    servers: async (values) => ((await ask('/v1/servers', values)) as ServersReport | null)?.servers ?? [],
  };
}
