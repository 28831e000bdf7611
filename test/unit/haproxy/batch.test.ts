import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Command,
  getVariable,
  joined,
  SHOW_INFO,
  setState,
  setVariable,
  setWeight,
  showServersState,
  splitAnswers,
} from '../../../src/haproxy/batch.ts';
import { isHaproxyName, variableOf } from '../../../src/haproxy/names.ts';
import { RuntimeFault } from '../../../src/haproxy/runtime-fault.ts';

const commands: readonly Command[] = [
  SHOW_INFO,
  setState('be_app', 'web01', 'ready'),
  setState('be_app', 'web02', 'maint'),
  getVariable('proc.lockstep.be'),
];

describe('commands', () => {
  test('stand in one line', () => {
    expect(joined(commands)).toBe(
      'show info;set server be_app/web01 state ready;set server be_app/web02 state maint;get var proc.lockstep.be',
    );
  });

  test.each(['', 'a b', 'a;b', 'a\nb', 'a\\b', 'a/b', 'a\0', 'é', 'a#b', 'a'.repeat(129)])(
    'are not made of the name %j',
    (name) => {
      expect(isHaproxyName(name)).toBe(false);
      expect(() => setState('be_app', name, 'ready')).toThrow(RangeError);
      expect(() => setState(name, 'web01', 'ready')).toThrow(RangeError);
      expect(() => setWeight('be_app', name, 1)).toThrow(RangeError);
      expect(() => showServersState(name)).toThrow(RangeError);
    },
  );

  test('of any name are one command, or none', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        if (isHaproxyName(name)) expect(setState(name, name, 'drain').text).not.toMatch(/[;\n\\]/);
        else expect(() => setState(name, name, 'drain')).toThrow(RangeError);
      }),
    );
  });

  test.each([-1, 257, 1.5, Number.NaN])('set no weight of %d', (weight) => {
    expect(() => setWeight('be_app', 'web01', weight)).toThrow(RangeError);
  });

  test('set no variable to what would be another word', () => {
    expect(() => setVariable('proc.x', 'a)b')).toThrow(RangeError);
  });

  test('name variables of different backends differently', () => {
    const long = '.'.repeat(127);
    const names = ['a.b', 'a_b', 'a-b', 'a:b', 'ab', 'a_2e_b', `${long}a`, `${long}b`].map(variableOf);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^proc\.[A-Za-z0-9_.]{1,73}$/);
  });
});

describe('answers', () => {
  // As HAProxy 2.6.12 says it.
  const whole = 'Name: HAProxy\nPid: 7\n\n\nNo such server.\n\nproc.lockstep.be: type=str value=<x-1-2>\n';

  test('are told apart, one for each command', () => {
    expect(splitAnswers(commands, whole)).toEqual([
      'Name: HAProxy\nPid: 7\n',
      '',
      'No such server.\n',
      'proc.lockstep.be: type=str value=<x-1-2>\n',
    ]);
  });

  test('of variables that are not there, and of a later HAProxy that ends them as all others', () => {
    expect(splitAnswers([getVariable('proc.a')], 'Variable not found.\n\n')).toEqual([
      'Variable not found.\n',
    ]);
    expect(splitAnswers([getVariable('proc.a')], 'proc.a: type=str value=<x>\n\n')).toEqual([
      'proc.a: type=str value=<x>\n',
    ]);
  });

  test('that are cut anywhere are not believed', () => {
    for (let at = 0; at < whole.length; at++) {
      expect(() => splitAnswers(commands, whole.slice(0, at))).toThrow(RuntimeFault);
    }
  });

  test('that are more than was asked are not believed', () => {
    expect(() => splitAnswers(commands, `${whole}> \n`)).toThrow('said more than it was asked');
  });
});
