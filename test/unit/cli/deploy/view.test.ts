import { describe, expect, it } from 'vitest';
import { type DeployEvent, deployView } from '../../../../src/cli/deploy/view.ts';
import { fakeTerminal } from '../../../integration/admin/fake-terminal.ts';

const wait = (text: string, topic = 'drained'): DeployEvent => ({
  event: 'wait',
  step: 'drained',
  topic,
  text,
});
const EVENTS: readonly DeployEvent[] = [
  { event: 'begin', version: 'v42', text: 'Deploys v42 to web03' },
  { event: 'step', step: 'hooks', state: 'started', text: 'runs the hook' },
  { event: 'hook', host: 'web03', state: 'started', text: 'web03: runs ./deploy.sh web03' },
  { event: 'output', host: 'web03', stream: 'stderr', line: 'half \u001b[2Jdone' },
  { event: 'step', step: 'hooks', state: 'done', text: 'the hook was run' },
  { event: 'step', step: 'drained', state: 'started', text: 'waits until v41 is drained' },
  wait('v41: 12 live'),
  wait('v41: 11 live'),
  { event: 'gateway', state: 'lost', text: 'no answer' },
  wait('v41: 10 live', 'something new'),
  { event: 'step', step: 'drained', state: 'done', text: 'v41 is drained' },
  {
    event: 'end',
    outcome: 'done',
    exitCode: 0,
    version: 'v42',
    step: null,
    failure: null,
    states: ['v42 is active'],
    next: ['lockstep retire v41'],
  },
];

function shown(isJson: boolean, isWatched: boolean) {
  const nowMs = Date.parse('2026-03-01T03:00:00Z');
  const { terminal, ran } = fakeTerminal({ isWatched, nowMs: () => nowMs });
  const view = deployView(terminal, isJson);
  for (const event of EVENTS) view.tell(event);
  view.close();
  return ran;
}

describe('a deploy shows itself', () => {
  it('in a log with times, the same wait now and then', () => {
    const { out, err } = shown(false, false);
    expect(err).toBe('');
    expect(out.split('\n')).toEqual([
      '03:00:00 Deploys v42 to web03',
      '03:00:00 ▸ runs the hook',
      '03:00:00   web03: runs ./deploy.sh web03',
      '03:00:00 web03 | half  [2Jdone',
      '03:00:00 ✓ the hook was run',
      '03:00:00 ▸ waits until v41 is drained',
      '03:00:00 … v41: 12 live',
      '03:00:00 ! no answer',
      '03:00:00 … v41: 10 live',
      '03:00:00 ✓ v41 is drained',
      '03:00:00 ✓ v42 is active',
      '03:00:00 Next:',
      '03:00:00   lockstep retire v41',
      '',
    ]);
  });

  it('to people with ticks, and the step of the moment in a line that is written over', () => {
    const { out, err } = shown(false, true);
    expect(out.split('\n')).toEqual([
      'Deploys v42 to web03',
      '  web03: runs ./deploy.sh web03',
      'web03 | half  [2Jdone',
      '✓ the hook was run',
      '! no answer',
      '✓ v41 is drained',
      '✓ v42 is active',
      'Next:',
      '  lockstep retire v41',
      '',
    ]);
    expect(err.split('\r\u001b[K').filter((line) => line !== '')).toEqual([
      '▸ runs the hook',
      '▸ runs the hook',
      '▸ runs the hook',
      '▸ waits until v41 is drained',
      '▸ waits until v41 is drained: v41: 12 live',
      '▸ waits until v41 is drained: v41: 11 live',
      '▸ waits until v41 is drained: v41: 11 live',
      '▸ waits until v41 is drained: v41: 10 live',
    ]);
    // Nothing is left of it.
    expect(err.endsWith('\r\u001b[K')).toBe(true);
  });

  it('to programs as one JSON event a line, the last one sums up', () => {
    const { out, err } = shown(true, true);
    expect(err).toBe('');
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DeployEvent);
    expect(events.map(({ event }) => event)).toEqual(EVENTS.map(({ event }) => event));
    expect(events.at(-1)).toMatchObject({ event: 'end', outcome: 'done', exitCode: 0, version: 'v42' });
  });
});
