// A batch of commands and the answers to it, told apart. Each answer ends with an empty line, one without any output is an
// empty line alone (2.6, management.txt section 9.3), but for a variable that is there, which is one line and nothing after
// it. So variables are asked for last, and a batch whose answers are not all there was cut, and is not half believed.
// Every word that is put into a command was checked when it was made.

import type { AdminState } from '../core/haproxy.ts';
import { isHaproxyName } from './names.ts';
import { quoted, RuntimeFault } from './runtime-fault.ts';

export interface Command {
  readonly text: string;
  readonly kind: 'answer' | 'variable';
}

/** Wants `experimental-mode on` in its line up to 3.x; levels operator and admin may. */
export const EXPERIMENTAL: Command = answer('experimental-mode on');
export const SHOW_INFO: Command = answer('show info');

export function showServersState(backend: string): Command {
  return answer(`show servers state ${checked(backend)}`);
}

/** Of servers only: their type is 4, and -1 are all of them. */
export function showServersStat(backend: string): Command {
  return answer(`show stat ${checked(backend)} 4 -1`);
}

export function setState(backend: string, server: string, state: AdminState): Command {
  return answer(`set server ${checked(backend)}/${checked(server)} state ${state}`);
}

/** 0..256 */
export function setWeight(backend: string, server: string, weight: number): Command {
  if (!Number.isInteger(weight) || weight < 0 || weight > 256) throw new RangeError(`no weight: ${weight}`);
  return answer(`set server ${checked(backend)}/${checked(server)} weight ${weight}`);
}

export function setVariable(variable: string, text: string): Command {
  if (!/^[A-Za-z0-9.-]{1,200}$/.test(text)) throw new RangeError('no text for a variable');
  return answer(`set var ${variable} str(${text})`);
}

export function getVariable(variable: string): Command {
  return { text: `get var ${variable}`, kind: 'variable' };
}

export function joined(commands: readonly Command[]): string {
  return commands.map(({ text }) => text).join(';');
}

/** One answer for each command, without its empty line. Throws RuntimeFault when they are not all there, or more are. */
export function splitAnswers(commands: readonly Command[], text: string): readonly string[] {
  let at = 0;
  const answers = commands.map(({ kind, text: command }) => {
    const end =
      kind === 'variable' && text.startsWith('proc.', at) ? endOfLine(text, at) : endOfAnswer(text, at);
    if (end === null) {
      throw new RuntimeFault('cut', `closed before it had answered all of ${quoted(command)}`);
    }
    const found = text.slice(at, end.textEnd);
    at = end.next;
    return found;
  });
  // Interactive prompts, another protocol, or a HAProxy that answers in another way than any that is known.
  if (text.slice(at).trim() !== '')
    throw new RuntimeFault('garbage', `said more than it was asked: ${quoted(text.slice(at))}`);
  return answers;
}

interface End {
  readonly textEnd: number;
  readonly next: number;
}

function endOfAnswer(text: string, from: number): End | null {
  if (text.startsWith('\n', from)) return { textEnd: from, next: from + 1 };
  const blank = text.indexOf('\n\n', from);
  return blank < 0 ? null : { textEnd: blank + 1, next: blank + 2 };
}

/** An empty line after it is part of it, should a later HAProxy have one. */
function endOfLine(text: string, from: number): End | null {
  const line = text.indexOf('\n', from);
  if (line < 0) return null;
  return { textEnd: line + 1, next: text.startsWith('\n', line + 1) ? line + 2 : line + 1 };
}

function answer(text: string): Command {
  return { text, kind: 'answer' };
}

function checked(name: string): string {
  if (!isHaproxyName(name)) throw new RangeError(`not a name that HAProxy has: ${quoted(name)}`);
  return name;
}
