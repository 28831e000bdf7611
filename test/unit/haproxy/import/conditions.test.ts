// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
import { describe, expect, it } from 'vitest';
import { judgeCondition } from '../../../../src/haproxy/import/conditions.ts';
import { Findings } from '../../../../src/haproxy/import/place.ts';
import { readSections } from '../../../../src/haproxy/import/sections.ts';

const variables = { read: (name: string) => (name === 'SET' ? '' : null) };

describe('a condition', () => {
  it.each([
    { given: '', want: false },
    { given: '0', want: false },
    { given: '2', want: true },
    { given: '!0', want: true },
    { given: '! ! 1', want: true },
    { given: 'defined(SET)', want: true },
    { given: 'defined(UNSET)', want: false },
    { given: 'streq(a,a) && strneq(a,b)', want: true },
    { given: 'streq(a, a)', want: false },
    { given: 'strstr(abc,bc)', want: true },
    { given: '1 || 0 && 0', want: true },
    { given: '(1 || 0) && 0', want: false },
    { given: 'version_atleast(2.4-dev19)', want: true },
    { given: 'version_atleast(2.6.12)', want: true },
    { given: 'version_atleast(2.6.13)', want: false },
    { given: 'version_before(3.0)', want: true },
    { given: 'feature(OPENSSL) && !feature(QUIC)', want: true },
    { given: 'openssl_version_before(1.1.1)', want: false },
  ])('$given is $want', ({ given, want }) => {
    expect(judgeCondition(given.split(' '), variables)?.isTrue).toBe(want);
  });

  it.each(['maybe', 'streq(a)', '1 &&', '(1', '1)', '! ', 'feature(', '((((((', '!'.repeat(5_000)])(
    '%s is none',
    (given) => {
      expect(judgeCondition([given], variables)).toBeNull();
    },
  );

  it('says what it took for granted', () => {
    expect(judgeCondition(['feature(LUA)', '&&', 'streq(a,a)'], variables)?.assumed).toEqual([
      'feature(LUA) is true',
    ]);
  });
});

/** Words of the lines that are taken, and what is told. */
function read(text: string, env: Record<string, string> = {}) {
  const findings = new Findings();
  const sections = readSections([{ name: 'a.cfg', text }], env, findings);
  return {
    lines: sections.flatMap(({ directives }) => directives.map(({ words }) => words.join(' '))),
    problems: findings.problems.map(({ line, message }) => `${line}: ${message}`),
  };
}

describe('conditional blocks', () => {
  it('take the first that holds, and nothing inside of others', () => {
    const block = (a: string, b: string) =>
      `global\n.if ${a}\none\n.if 0\nno\n.else\ntwo\n.endif\n.elif ${b}\nthree\n.else\nfour\n.endif\nfive`;
    expect(read(block('1', '1')).lines).toEqual(['one', 'two', 'five']);
    expect(read(block('0', '1')).lines).toEqual(['three', 'five']);
    expect(read(block('0', '0')).lines).toEqual(['four', 'five']);
  });

  it('see what setenv and its kin have said before', () => {
    const text = [
      'global',
      'setenv A 1',
      'presetenv A 2',
      'presetenv B 3',
      'unsetenv C',
      '.if streq("$A$B",13) && !defined(C)',
      'good',
      '.endif',
      'resetenv D',
      '.if defined(A) || !defined(D)',
      'bad',
      '.endif',
    ].join('\n');
    expect(read(text, { C: 'x', D: 'y' })).toEqual({
      lines: ['setenv A 1', 'presetenv A 2', 'presetenv B 3', 'unsetenv C', 'good', 'resetenv D'],
      problems: [],
    });
  });

  it.each([
    {
      name: 'a block that is not closed',
      given: 'global\n.if 1\n',
      want: '3: expected .endif for the .if of line 2',
    },
    { name: 'an .else alone', given: '.else', want: '1: expected .else after .if' },
    {
      name: 'an .elif after .else',
      given: '.if 0\n.else\n.elif 1\n.endif',
      want: '3: expected .elif after .if',
    },
    { name: 'an .endif alone', given: '.endif', want: '1: expected .endif after .if' },
    { name: 'a condition that is none', given: '.if maybe\n.endif', want: '1: expected a condition' },
    { name: 'an alert', given: '.alert "too old"', want: '1: .alert says "too old"' },
    { name: 'a directive that HAProxy does not have', given: '.include x', want: '1: expected a directive' },
  ])('are refused with $name', ({ given, want }) => {
    expect(read(given).problems).toEqual([expect.stringContaining(want)]);
  });

  it('hide what is wrong in blocks that are not taken', () => {
    expect(read('global\n.if 0\n.alert no\n.if what\n.endif\n"\n.endif').problems).toEqual([]);
  });
});

describe('sections', () => {
  it('begin with each file', () => {
    const findings = new Findings();
    const files = [
      { name: 'a.cfg', text: 'backend a\nserver x 10.0.0.1:80' },
      { name: 'b.cfg', text: 'server y 10.0.0.2:80' },
    ];
    readSections(files, {}, findings);
    expect(findings.problems).toEqual([expect.objectContaining({ file: 'b.cfg', line: 1 })]);
  });

  it('know negated options, old names of timeouts, and scopes, which HAProxy skips', () => {
    expect(read('[scope]\ndefaults\nno option httpclose\nclitimeout 5s').lines).toEqual([
      'option httpclose',
      'timeout client 5s',
    ]);
  });

  it('say where relative names of files start', () => {
    const folders = (rule: string) =>
      readSections(
        [{ name: '/etc/haproxy/x/a.cfg', text: `global\n${rule}\nfrontend f` }],
        {},
        new Findings(),
      )[1]!.folder;
    expect(folders('')).toBeNull();
    expect(folders('default-path config')).toBe('/etc/haproxy/x');
    expect(folders('default-path parent')).toBe('/etc/haproxy/x/..');
    expect(folders('default-path origin /srv')).toBe('/srv');
  });
});
