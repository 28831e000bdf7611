import { describe, expect, it } from 'vitest';
import { deploy } from '../../../../src/cli/deploy/deploy.ts';
import { stepsFrom, wishOf } from '../../../../src/cli/deploy/wish.ts';
import { parseCall } from '../../../../src/cli/verb.ts';
import { fakeTerminal } from '../../../integration/admin/fake-terminal.ts';

const read = (...args: readonly string[]) => {
  const call = parseCall(deploy, args, fakeTerminal().terminal);
  if (call === null) throw new Error('help');
  return wishOf(call);
};
const least = ['v42', '--hosts', 'web03', '--each', 'true'];

describe('what a deploy is asked for', () => {
  it('is the least that is said', () => {
    expect(read(...least)).toMatchObject({
      version: 'v42',
      hosts: [{ name: 'web03', address: null }],
      parallel: 1,
      canary: null,
      warm: null,
      waits: true,
      onFailure: 'stop',
    });
  });

  it.each([
    [10, 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]],
    [5, 30, [5, 35, 65, 95, 100]],
    [50, 50, [50, 100]],
    [99, 99, [99, 100]],
  ])('steps from %i%% by %i%%', (first, width, want) => {
    expect(stepsFrom(first, width)).toEqual(want);
  });

  it('is a canary by steps', () => {
    const wish = read(...least, '--canary', '10%', '--step', '45', '--every', '1m', '--errors', '2%');
    expect(wish.canary).toEqual({ steps: [10, 55, 100], every: '1m', analysis: { errors: '2%' } });
  });

  it('is a warm-up of its own', () => {
    expect(read(...least, '--warm', '/,/login', '--warm-p95', '300ms').warm).toEqual({
      paths: ['/', '/login'],
      p95: '300ms',
    });
  });

  it.each([
    { args: ['v42'], says: /--hosts is needed/ },
    { args: ['v42', '--hosts', 'web03'], says: /--each is needed/ },
    { args: [...least, '--step', '10%'], says: /--step: expected together with --canary/ },
    { args: [...least, '--canary', '100%'], says: /--canary: expected a share from 1% to 99%/ },
    { args: [...least, '--canary', '10', '--every', '1ms'], says: /--every: expected a duration/ },
    { args: [...least, '--warm-p95', '1s'], says: /--warm-p95: expected together with --warm/ },
    { args: [...least, '--warm', 'login'], says: /--warm: expected paths/ },
    { args: [...least, '--port', '0'], says: /--port: expected a whole number from 1 to 65535/ },
    { args: [...least, '--upstream', 'http://a:1'], says: /--upstream: expected an address with \{host\}/ },
    { args: [...least, '--no-wait', '--retire'], says: /--retire: expected without --no-wait/ },
    { args: [...least, '--on-failure', 'panic'], says: /--on-failure: expected rollback or stop/ },
    { args: [...least, '--hook-timeout', 'soon'], says: /--hook-timeout: expected a duration/ },
  ])('is refused: $args', ({ args, says }) => {
    expect(() => read(...args)).toThrow(says);
  });
});
