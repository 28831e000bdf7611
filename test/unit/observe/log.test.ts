// The gateway's own log: what opens doors is redacted, and a flood of one warning stays a few lines (T22, M09).

import { expect, test } from 'vitest';
import { createLog, type LogLevel } from '../../../src/observe/log.ts';
import { LogLimiter } from '../../../src/observe/log-limiter.ts';

function logged(
  level: LogLevel,
  write: (log: ReturnType<typeof createLog>) => void,
): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  write(createLog(level, { write: (line: string) => void lines.push(JSON.parse(line)) }));
  return lines;
}

test('M09: redacts secrets at every place where they may stand', () => {
  const secret = 'ZqR8vN3kW5yT7uB1';
  const headers = { authorization: secret, cookie: secret, 'set-cookie': [secret], host: 'a' };
  const lines = logged('info', (log) => {
    log.info(
      { ...headers, token: secret, tokens: [{ token: secret }], keys: [secret], pinKeys: [secret] },
      'top',
    );
    log.info({ headers, admin: { tokens: [secret] } }, 'nested');
    log.info({ request: { headers } }, 'nested twice');
  });
  expect(lines).toHaveLength(3);
  expect(JSON.stringify(lines)).not.toContain(secret);
  expect(lines[2]).toMatchObject({ request: { headers: { host: 'a', cookie: '[redacted]' } } });
});

test('obeys the level', () => {
  expect(logged('warn', (log) => log.info('no'))).toEqual([]);
  expect(logged('debug', (log) => log.debug('yes'))).toHaveLength(1);
});

test('T22: writes five warnings of a kind in a window, then counts', () => {
  let now = 0;
  const lines = logged('info', (log) => {
    const limiter = new LogLimiter(log, { nowMs: () => now });
    for (let index = 0; index < 1_000; index++) limiter.warn('bad request', { index });
    limiter.warn('another');
    now = 10_000;
    limiter.warn('bad request', { index: 1_000 });
  });
  expect(lines.map(({ msg, index, suppressed }) => [msg, index, suppressed])).toEqual([
    ...[0, 1, 2, 3, 4].map((index) => ['bad request', index, undefined]),
    ['another', undefined, undefined],
    ['bad request', 1_000, 995],
  ]);
});

test('T22: a flood of ever new warnings is limited too', () => {
  const lines = logged('info', (log) => {
    const limiter = new LogLimiter(log, { nowMs: () => 0 });
    for (let index = 0; index < 10_000; index++) limiter.warn(`bad ${index}`);
  });
  expect(lines).toHaveLength(1_024 + 5);
});

test('a clock that is set back silences nothing', () => {
  let now = 1_000_000;
  const lines = logged('info', (log) => {
    const limiter = new LogLimiter(log, { nowMs: () => now, perWindow: 1 });
    limiter.warn('x');
    now = 0;
    limiter.warn('x');
  });
  expect(lines).toHaveLength(2);
});
