import { describe, expect, test } from 'vitest';
import { FAILURES, type FailureCode } from '../../../src/core/errors.ts';
import { FailureAnswers, type FailureOptions } from '../../../src/engine/failure-answer.ts';

const DATE = 'Thu, 15 Jan 2026 12:00:00 GMT';
const OPTIONS: FailureOptions = {
  isNavigation: false,
  isHead: false,
  close: false,
  reload: false,
  retryAfterSeconds: null,
  version: '',
  date: DATE,
};
const CODES = Object.keys(FAILURES) as FailureCode[];
const ANSWERED = CODES.filter((code) => FAILURES[code].status !== 0);

function read(code: FailureCode, options: Partial<FailureOptions> = {}) {
  const text = new FailureAnswers().write(code, { ...OPTIONS, ...options });
  const end = text.indexOf('\r\n\r\n');
  const [statusLine, ...lines] = text.slice(0, end).split('\r\n');
  const fields = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { text, statusLine, lines, fields, body: text.slice(end + 4) };
}

describe('every failure', () => {
  test.each(ANSWERED)('%s is a whole answer, of both kinds', (code) => {
    for (const isNavigation of [true, false]) {
      const { text, statusLine, lines, fields, body } = read(code, {
        isNavigation,
        version: 'v1',
        close: true,
      });
      expect(statusLine).toMatch(new RegExp(`^HTTP/1\\.1 ${FAILURES[code].status} [A-Z][A-Za-z ]+$`));
      expect(text).toMatch(/^[\x20-\x7e\r\n]*$/);
      for (const line of lines) expect(line).toMatch(/^[A-Za-z-]+: [\x20-\x7e]+$/);
      expect(fields).toMatchObject({
        date: DATE,
        'content-length': String(body.length),
        'cache-control': 'no-store',
        'x-lockstep-error': code,
        'x-lockstep-version': 'v1',
        connection: 'close',
      });
      expect(new Set(lines.map((line) => line.split(':')[0]?.toLowerCase())).size).toBe(lines.length);
    }
  });

  test.each(ANSWERED)('%s tells a program its code and status', (code) => {
    const { fields, body } = read(code);
    const { status, title } = FAILURES[code];
    expect(fields['content-type']).toBe('application/problem+json');
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: expect.stringMatching(/^[A-Z]/),
      status,
      detail: title,
      code,
    });
  });

  test.each(ANSWERED)('%s tells a person what happened', (code) => {
    const { fields, body } = read(code, { isNavigation: true });
    expect(fields['content-type']).toBe('text/html; charset=utf-8');
    expect(body).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(body).toMatch(/<title>[A-Z][^<]+<\/title>/);
    expect(body).toContain(`<p>${FAILURES[code].title}</p>`);
    expect(body).not.toMatch(/\b(src|url|@import|https?:)/);
  });

  test.each(ANSWERED)('%s has no body for HEAD, but its length', (code) => {
    for (const isNavigation of [true, false]) {
      const get = read(code, { isNavigation });
      const head = read(code, { isNavigation, isHead: true });
      expect(head.body).toBe('');
      expect(head.lines).toEqual(get.lines);
    }
  });

  test.each(ANSWERED)('%s closes when asked to, or when the catalogue says so', (code) => {
    expect(read(code).fields['connection']).toBe(FAILURES[code].closes ? 'close' : undefined);
    expect(read(code, { close: true }).fields['connection']).toBe('close');
  });

  test.each(CODES.filter((code) => FAILURES[code].status === 0))('%s has no answer', (code) => {
    expect(new FailureAnswers().write(code, OPTIONS)).toBe('');
  });
});

describe('a dead pin', () => {
  test('tells the page to reload', () => {
    expect(read('dead-pin', { reload: true }).fields['x-lockstep-reload']).toBe('1');
    expect(read('dead-pin').fields).not.toHaveProperty('x-lockstep-reload');
  });

  test('gives people a link to reload, and nobody else', () => {
    const link = '<a href="">Reload</a>';
    expect(read('dead-pin', { isNavigation: true, reload: true }).body).toContain(link);
    expect(read('dead-pin', { isNavigation: true }).body).not.toContain(link);
    expect(read('dead-pin', { reload: true }).body).not.toContain(link);
  });

  test('keeps its bodies apart when one instance writes them all', () => {
    const answers = new FailureAnswers();
    const kinds = [{ isNavigation: true, reload: true }, { isNavigation: true }, { reload: true }];
    const write = () => kinds.map((kind) => answers.write('dead-pin', { ...OPTIONS, ...kind }));
    const first = write();
    expect(new Set(first).size).toBe(3);
    expect(write()).toEqual(first);
    expect(first).toEqual(kinds.map((kind) => read('dead-pin', kind).text));
  });
});

describe('fields that some failures have', () => {
  test.each([
    { name: 'Retry-After on 503', code: 'no-upstream', seconds: 5, want: '5' },
    { name: 'Retry-After in whole seconds', code: 'no-version', seconds: 0.2, want: '1' },
    { name: 'no Retry-After when nothing is known', code: 'no-upstream', seconds: null, want: undefined },
    { name: 'no Retry-After on 502', code: 'connect-failed', seconds: 5, want: undefined },
  ] as const)('$name', ({ code, seconds, want }) => {
    expect(read(code, { retryAfterSeconds: seconds }).fields['retry-after']).toBe(want);
  });

  test('Allow on 405 alone, without the methods that are refused', () => {
    expect(read('method-not-allowed').fields['allow']).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
    expect(ANSWERED.filter((code) => 'allow' in read(code).fields)).toEqual(['method-not-allowed']);
  });

  test('no version where none was meant to answer', () => {
    expect(read('no-version').fields).not.toHaveProperty('x-lockstep-version');
  });
});
