import { expect, test } from 'vitest';
import { isLoopback } from '../../../src/admin/gate.ts';

test.each([
  { given: '127.0.0.1', want: true },
  { given: '127.255.0.3', want: true },
  { given: '::1', want: true },
  { given: '0:0:0:0:0:0:0:1', want: true },
  { given: '::ffff:127.0.0.1', want: true },
  { given: 'localhost', want: true },
  { given: 'LocalHost', want: true },
  { given: '128.0.0.1', want: false },
  { given: '0.0.0.0', want: false },
  { given: '::', want: false },
  { given: '', want: false },
  { given: 'localhost.example', want: false },
  { given: '127.0.0.1.example', want: false },
])('$given is loopback: $want', ({ given, want }) => {
  expect(isLoopback(given)).toBe(want);
});
