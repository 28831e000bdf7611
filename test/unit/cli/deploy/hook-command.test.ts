import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hookCommand, hookEnvironment } from '../../../../src/cli/deploy/hook-command.ts';

const facts = { name: 'web03', address: '10.0.0.3:8080', version: 'v42' };

describe('the command of a hook', () => {
  it.each([
    ['./deploy.sh {host}', './deploy.sh web03'],
    ['ssh "{host}" deploy {version}', 'ssh "web03" deploy v42'],
    ["curl 'http://{address}/'", "curl 'http://10.0.0.3:8080/'"],
    ['echo {host} {host}', 'echo web03 web03'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the shell
    ['echo ${host} {other} {a,b}', 'echo ${host} {other} {a,b}'],
    ["echo \\' {host}", "echo \\' web03"],
  ])('of %s is %s', (template, want) => {
    expect(hookCommand(template, facts)).toBe(want);
  });

  it.each([
    ['a bare word', '{host}'],
    ['double quotes', '"{host}"'],
    ['single quotes', "'{host}'"],
    ['double quotes after an escaped one', '"\\"{host}"'],
  ])('hands any name on to the letter in %s', (_, place) => {
    // No NUL in arguments; the shell drops line ends only in $(…), which is not used here.
    const anything = fc
      .string({ unit: 'binary-ascii', maxLength: 12 })
      .filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(anything, (name) => {
        const command = hookCommand(`printf %s ${place}`, { ...facts, name });
        const printed = execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
        expect(printed).toBe(place.startsWith('"\\') ? `"${name}` : name);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the environment of a hook', () => {
  it('names the host, and leaves the token out under whatever name', () => {
    const env = { PATH: '/bin', LOCKSTEP_TOKEN: 'other', CI_TOKEN: 'secret', UNSET: undefined };
    expect(hookEnvironment(env, facts, 'secret')).toEqual({
      PATH: '/bin',
      LOCKSTEP_HOST: 'web03',
      LOCKSTEP_ADDRESS: '10.0.0.3:8080',
      LOCKSTEP_VERSION: 'v42',
    });
  });
});
