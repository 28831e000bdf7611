// From arguments to an exit code: finds the verb, answers --help and --version, and says what went wrong in one line,
// `lockstep: <what> — <what to do>`.

import { readFileSync } from 'node:fs';
import { findNearest } from '../core/nearest.ts';
import { check } from './check.ts';
import { completionVerb } from './completion.ts';
import { config } from './config.ts';
import { cutoff } from './cutoff.ts';
import { demo } from './demo.ts';
import { deploy } from './deploy/deploy.ts';
import { drain } from './drain.ts';
import { disable, enable } from './enable.ts';
import { events } from './events.ts';
import { explain } from './explain.ts';
import { CommandFailure, EXIT, type ExitCode, usageFailure } from './failure.ts';
import { importVerb } from './import.ts';
import { mayStop } from './may-stop.ts';
import { pause, resume } from './pause.ts';
import { preview } from './preview.ts';
import { promote } from './promote.ts';
import { put } from './put.ts';
import { reload } from './reload.ts';
import { retire } from './retire.ts';
import { rollback } from './rollback.ts';
import { serve } from './serve.ts';
import { servers } from './servers.ts';
import { sessions } from './sessions.ts';
import { skew } from './skew.ts';
import { status } from './status.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrap } from './text.ts';
import { helpFor, parseCall, type Verb } from './verb.ts';
import { wait } from './wait.ts';

/** In the order in which a newcomer needs them. */
const VERBS: readonly Verb[] = [
  demo,
  importVerb,
  check,
  serve,
  status,
  put,
  wait,
  promote,
  deploy,
  preview,
  pause,
  resume,
  rollback,
  drain,
  retire,
  cutoff,
  mayStop,
  disable,
  enable,
  servers,
  sessions,
  skew,
  events,
  explain,
  config,
  reload,
  completionVerb(() => VERBS),
];

export async function run(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await runVerb(argv, terminal);
  } catch (error) {
    if (error instanceof CommandFailure) {
      terminal.err(argv.includes('--json') ? asJson(error) : asText(error, terminal));
      return error.exitCode;
    }
    terminal.err(`lockstep: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

/** It does its work to the end when nobody reads what it prints any more. */
export function outlivesReader([name]: readonly string[]): boolean {
  return VERBS.some((verb) => verb.name === name && verb.outlivesReader === true);
}

/** One line for programs and logs; people get words that are not torn. */
function asText({ message, advice }: CommandFailure, { isWatched, columns }: Terminal): string {
  const text = `lockstep: ${message} — ${advice}.`;
  return `${isWatched ? wrap(text, '  ', columns).join('\n') : text}\n`;
}

function asJson({ message, advice, code, exitCode }: CommandFailure): string {
  return `${JSON.stringify({ error: { code, message, advice, exitCode } })}\n`;
}

async function runVerb([name, ...args]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (name === undefined) {
    terminal.err(help(terminal.columns));
    return EXIT.usage;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    terminal.out(help(terminal.columns));
    return EXIT.done;
  }
  if (name === '--version') {
    terminal.out(`${packageVersion()}\n`);
    return EXIT.done;
  }
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (verb === undefined) {
    const nearest = findNearest(
      name,
      VERBS.map((candidate) => candidate.name),
    );
    const guess = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw usageFailure(`there is no command ${JSON.stringify(name)}${guess}`, null);
  }
  const call = parseCall(verb, args, terminal);
  if (call !== null) return verb.run(call);
  terminal.out(helpFor(verb, terminal.columns));
  return EXIT.done;
}

function help(columns: number): string {
  const rows = VERBS.map(({ name, summary }) => [`  ${name}`, summary]);
  const commands = renderTable([{ title: '' }, { title: '', wraps: true }], rows, columns).slice(1);
  const about = (sentences: string) => wrap(sentences, '', columns);
  return [
    'Usage: lockstep COMMAND [options]',
    '',
    ...about('Keeps every browser session on one version of a web application while another is deployed.'),
    '',
    ...commands,
    '',
    ...about(
      'lockstep COMMAND --help tells more. Exit codes: 0 done, 1 refused or failed, 2 bad usage, 3 timed out. ' +
        'LOCKSTEP_ADMIN and LOCKSTEP_TOKEN say where the admin API is and who asks.',
    ),
    '',
  ].join('\n');
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
