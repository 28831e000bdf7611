// What a deploy shows: steps with their ticks, what the hooks print, and the wait of the moment. Three ways: people at a
// terminal see the wait in one line that is written over; a log gets plain lines with their time, the wait now and then;
// programs get one JSON event a line. Results go to stdout, the line that is written over to stderr.

import type { ExitCode } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { printable, tellSeconds, wrap } from '../text.ts';
import type { Step } from './journal.ts';

export type DeployEvent =
  | { readonly event: 'begin'; readonly version: string; readonly text: string }
  | {
      readonly event: 'step';
      readonly step: Step;
      readonly state: 'started' | 'done' | 'failed';
      readonly text: string;
    }
  /** `topic`: what is new in it is told at once, wherever. */
  | { readonly event: 'wait'; readonly step: Step; readonly topic: string; readonly text: string }
  | {
      readonly event: 'hook';
      readonly host: string;
      readonly state: 'started' | 'done' | 'failed' | 'skipped';
      readonly text: string;
    }
  | {
      readonly event: 'output';
      readonly host: string;
      readonly stream: 'stdout' | 'stderr';
      readonly line: string;
    }
  /** The gateway is gone, or back. */
  | { readonly event: 'gateway'; readonly state: 'lost' | 'back'; readonly text: string }
  | { readonly event: 'note'; readonly text: string }
  | {
      readonly event: 'end';
      readonly outcome: 'done' | 'failed' | 'interrupted' | 'aborted';
      readonly exitCode: ExitCode;
      readonly version: string;
      readonly step: Step | null;
      /** What failed; null where nothing did. */
      readonly failure: { readonly code: string; readonly message: string } | null;
      /** How things stand now, a sentence each. */
      readonly states: readonly string[];
      /** Commands to go on with. */
      readonly next: readonly string[];
    };

export interface DeployView {
  tell(event: DeployEvent): void;
  /** Nothing is written over any more. */
  close(): void;
}

/** In a log, the same wait is told again after that time. */
const AGAIN_MS = 60_000;
const TICK = '✓';
const CROSS = '✗';

export function deployView(terminal: Terminal, isJson: boolean): DeployView {
  if (isJson) return jsonView(terminal);
  return terminal.isWatched ? liveView(terminal) : plainView(terminal);
}

function jsonView({ out, nowMs }: Terminal): DeployView {
  let lastWait = '';
  return {
    tell: (event) => {
      if (event.event === 'wait') {
        if (event.text === lastWait) return;
        lastWait = event.text;
      }
      out(`${JSON.stringify({ time: new Date(nowMs()).toISOString(), ...event })}\n`);
    },
    close: () => {},
  };
}

function plainView(terminal: Terminal): DeployView {
  const { nowMs, timeZone } = terminal;
  let lastWait = { topic: '', atMs: 0, text: '' };
  return {
    tell: (event) => {
      const atMs = nowMs();
      if (event.event === 'wait') {
        const isSame = event.text === lastWait.text || event.topic === lastWait.topic;
        if (isSame && atMs - lastWait.atMs < AGAIN_MS) return;
        lastWait = { topic: event.topic, atMs, text: event.text };
      }
      for (const line of linesOf(event, Number.POSITIVE_INFINITY)) {
        terminal.out(`${tellSeconds(atMs, timeZone)} ${line}\n`);
      }
    },
    close: () => {},
  };
}

/** The step of the moment stands in the line that is written over; what came of it stays above, with its tick. */
function liveView(terminal: Terminal): DeployView {
  const { out, err } = terminal;
  let shown = '';
  let title = '';
  const show = (line: string) => {
    if (line === '' && shown === '') return;
    err(`\r\u001b[K${line.slice(0, terminal.columns - 1)}`);
    shown = line;
  };
  return {
    tell: (event) => {
      if (event.event === 'wait') {
        show(`${title}: ${event.text}`);
        return;
      }
      if (event.event === 'step') title = `▸ ${event.text}`;
      if (event.event === 'step' && event.state === 'started') {
        show(title);
        return;
      }
      const before = shown;
      show('');
      for (const line of linesOf(event, terminal.columns)) out(`${line}\n`);
      // What a hook prints, and a gateway that is gone, do not end the step.
      if (event.event !== 'step' && event.event !== 'end') show(before);
    },
    close: () => show(''),
  };
}

function linesOf(event: DeployEvent, columns: number): readonly string[] {
  const told = (sign: string, text: string) =>
    wrap(text, '', columns - 2).map((line, index) => `${index === 0 ? sign : ' '} ${line}`);
  switch (event.event) {
    case 'begin':
      return wrap(event.text, '  ', columns);
    case 'step':
      return told({ started: '▸', done: TICK, failed: CROSS }[event.state], event.text);
    case 'wait':
      return told('…', event.text);
    case 'hook':
      return told({ started: ' ', done: TICK, failed: CROSS, skipped: TICK }[event.state], event.text);
    case 'output':
      return [`${event.host} | ${printable(event.line)}`];
    case 'gateway':
      return told('!', event.text);
    case 'note':
      return told(' ', event.text);
    case 'end':
      return [
        ...event.states.flatMap((text) => told(event.outcome === 'done' ? TICK : ' ', text)),
        ...(event.next.length === 0 ? [] : ['Next:', ...event.next.map((command) => `  ${command}`)]),
      ];
    default:
      return event satisfies never;
  }
}
