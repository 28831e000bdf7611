// Pin keys, admin tokens and webhook secrets: long enough, and not one of those that are guessed first. What they are is never told.

import type { Mismatch, Reader } from './readers.ts';

/** Shorter ones could be tried out. */
const SHORTEST = 16;
const PLACEHOLDERS = [
  'changeme',
  'changethis',
  'password',
  'replaceme',
  'yoursecret',
  'yourtoken',
  'placeholder',
];
/** Rows of the keyboard and of the alphabet, as long as a key may be that only runs along them. */
const RUNS = ['0123456789', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm']
  .map((run) => run.repeat(4))
  .join(' ');
/** Characters that a bearer token may have (RFC 6750 section 2.1). */
const BEARER = /^[A-Za-z0-9._~+/-]+=*$/;

export const pinKey: Reader<string> = (value) => secret(value, 'a key');

export const hookSecret: Reader<string> = (value) => secret(value, 'a secret');

export const adminToken: Reader<string> = (value) => {
  const result = secret(value, 'a token');
  if (!('value' in result) || BEARER.test(result.value)) return result;
  return {
    expected: 'a token of letters, digits and . _ ~ + / - with = at its end only',
    got: 'other characters',
  };
};

function secret(value: unknown, what: string): { readonly value: string } | Mismatch {
  const expected = `${what} of at least ${SHORTEST} characters`;
  if (typeof value !== 'string')
    return { expected, got: value === undefined ? 'nothing' : 'something that is not text' };
  if (value.length < SHORTEST) return { expected, got: `${value.length}` };
  if (isWeak(value)) {
    return { expected: `${expected} that cannot be guessed (openssl rand -base64 32)`, got: 'a weak one' };
  }
  return { value };
}

function isWeak(value: string): boolean {
  const plain = value.toLowerCase().replace(/[^a-z0-9]/g, '');
  const isRepetition = /^(.{1,8})\1+$/s.test(value);
  const isRun =
    RUNS.includes(value.toLowerCase()) || RUNS.includes([...value.toLowerCase()].reverse().join(''));
  return (
    isRepetition || isRun || new Set(value).size < 6 || PLACEHOLDERS.some((word) => plain.includes(word))
  );
}
