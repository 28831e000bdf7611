import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import type { Screen } from '../../../src/cli/terminal.ts';
import type { Status } from '../../../src/core/status.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { fakeTerminal } from './fake-terminal.ts';

const ESC = '\u001b[';
let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 })]));
  admin = await startAdmin(control);
});
afterEach(() => admin.close());

interface FakeScreen extends Screen {
  columns: number;
  rows: number;
  press(key: string): void;
  resize(columns: number, rows: number): void;
  /** Listeners, and whether it was entered and not left. */
  held(): [number, boolean];
}

function fakeScreen(out: (text: string) => void): FakeScreen {
  const keys = new Set<(key: string) => void>();
  const sizes = new Set<() => void>();
  let isIn = false;
  const screen: FakeScreen = {
    columns: 80,
    rows: 24,
    enter: (enter, leave) => {
      isIn = true;
      out(enter);
      return () => {
        isIn = false;
        out(leave);
      };
    },
    onKey: (listener) => {
      keys.add(listener);
      return () => void keys.delete(listener);
    },
    onResize: (listener) => {
      sizes.add(listener);
      return () => void sizes.delete(listener);
    },
    press: (key) => {
      for (const listener of keys) listener(key);
    },
    resize: (columns, rows) => {
      Object.assign(screen, { columns, rows });
      for (const listener of sizes) listener();
    },
    held: () => [keys.size + sizes.size, isIn],
  };
  return screen;
}

function watch(more: string[] = [], onScreen = true) {
  const writes: string[] = [];
  const out = (text: string) => void writes.push(text);
  const screen = fakeScreen(out);
  const { terminal, ran, interrupt } = fakeTerminal({
    env: { LOCKSTEP_ADMIN: admin.url },
    out,
    screen: onScreen ? screen : null,
  });
  const done = run(['status', '--watch', '--every', '200ms', ...more], terminal);
  /** What stands on the screen now. */
  const shown = () =>
    writes
      .at(-1)!
      .replaceAll(/\u001b\[[\d;?]*[a-zA-Z]/g, '')
      .split('\r\n');
  return { writes, screen, ran, done, interrupt, shown };
}

const sessions = (live: number): Status =>
  statusOf([
    version('v1', { state: 'active', weight: 100, sessions: { live, confirmed: live, streams: 0 } }),
  ]);

describe('status --watch on a terminal', () => {
  test('draws over itself with one write a look, and leaves the last one behind', async () => {
    const { writes, screen, done, shown } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    control.now = sessions(7);
    await vi.waitFor(() => expect(shown().join('\n')).toContain('live sessions, the last'));
    expect(writes[0]).toBe(`${ESC}?1049h${ESC}?25l${ESC}?7l`);
    for (const frame of writes.slice(1)) {
      expect(frame.startsWith(`${ESC}?2026h${ESC}H`)).toBe(true);
      expect(frame.endsWith(`${ESC}J${ESC}?2026l`)).toBe(true);
      expect(frame).not.toContain(`${ESC}2J`);
      // The table's head fills the line: clearing behind it would take its last character.
      expect(frame).toMatch(/ UP\r\n/);
      expect(frame).toContain(`active v1${ESC}K\r\n`);
    }
    screen.press('q');
    expect(await done).toBe(0);
    expect(writes.at(-2)).toBe(`${ESC}?7h${ESC}?25h${ESC}?1049l`);
    expect(writes.at(-1)).toContain('v1                active    100%        7');
    expect(writes.at(-1)).not.toContain(ESC);
    expect(screen.held()).toEqual([0, false]);
  });

  test.each(['q', 'Q', '\u0003'])('ends with the key %j, with no other, and at once', async (key) => {
    const { screen, writes, done } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    screen.press('x');
    screen.press(key);
    expect(await done).toBe(0);
  });

  test('ends with a signal that interrupts it', async () => {
    const { interrupt, writes, screen, done } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    interrupt();
    expect(await done).toBe(0);
    expect(screen.held()).toEqual([0, false]);
  });

  test('fits a screen that became smaller: no line too long, the last one still there', async () => {
    const { screen, writes, done, shown } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    screen.resize(50, 5);
    expect(shown()).toHaveLength(5);
    expect(Math.max(...shown().map((line) => line.length))).toBeLessThanOrEqual(50);
    expect(shown().slice(-2)).toEqual(['…', 'Nothing is wrong.']);
    screen.press('q');
    await done;
  });

  test('keeps what it has when the gateway goes away, says since when, and goes on when it is back', async () => {
    const { screen, writes, done, shown } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    const { port } = admin;
    await admin.close();
    await vi.waitFor(
      () =>
        expect(shown().join(' ').replaceAll(/ +/g, ' ')).toMatch(
          /! (no answer|The gateway).* what follows is old/,
        ),
      {
        timeout: 5_000,
      },
    );
    expect(shown().join('\n')).toContain('v1                active');
    admin = await startAdmin(control, { port });
    await vi.waitFor(() => expect(shown().join('\n')).not.toContain('! '), { timeout: 5_000 });
    screen.press('q');
    expect(await done).toBe(0);
  });

  test('leaves the screen when the gateway refuses', async () => {
    const { writes, screen, done, ran } = watch();
    await vi.waitFor(() => expect(writes.length).toBeGreaterThan(1));
    const { port } = admin;
    await admin.close();
    admin = await startAdmin(control, {
      port,
      tokens: [{ name: 'ci', token: 'x'.repeat(20), role: 'viewer' }],
    });
    expect(await done).toBe(1);
    expect(ran.err).toContain('set LOCKSTEP_TOKEN');
    expect(screen.held()).toEqual([0, false]);
  });

  test('takes no screen when there is no gateway to begin with', async () => {
    await admin.close();
    const { writes, done, ran } = watch();
    expect([await done, writes]).toEqual([1, []]);
    expect(ran.err).toContain('is the gateway running?');
    admin = await startAdmin(control);
  });
});

describe('status --watch elsewhere', () => {
  test('prints each look below the one before', async () => {
    const { writes, done, interrupt } = watch([], false);
    await vi.waitFor(() => expect(writes).toHaveLength(3));
    interrupt();
    expect(await done).toBe(0);
    for (const text of writes) {
      expect(text).toMatch(/^--- \d{4}-\d\d-\d\dT[\d:.]+Z\nepoch 41 {3}active v1\n/);
      expect(text).not.toContain(ESC);
    }
  });

  test('prints one line of JSON a look, also on a terminal', async () => {
    const { writes, screen, done, interrupt } = watch(['--json']);
    await vi.waitFor(() => expect(writes).toHaveLength(2));
    interrupt();
    await done;
    for (const text of writes) expect(JSON.parse(text)).toEqual(control.now);
    expect(writes.every((text) => text.split('\n').length === 2)).toBe(true);
    expect(screen.held()).toEqual([0, false]);
  });

  test('says once that the gateway is gone', async () => {
    const { writes, ran, done, interrupt } = watch([], false);
    await vi.waitFor(() => expect(writes).toHaveLength(1));
    await admin.close();
    await vi.waitFor(() => expect(ran.err).toContain('trying again'), { timeout: 5_000 });
    const looks = writes.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([ran.err.split('\n').length, writes.length]).toEqual([2, looks]);
    interrupt();
    await done;
    admin = await startAdmin(control);
  });
});

test.each([
  { line: ['--every', '2s'], want: '--every: expected together with --watch' },
  { line: ['--watch', '--every', '50ms'], want: '--every: expected a duration such as 2s, at least 200ms' },
])('status $line is exit 2', async ({ line, want }) => {
  const { terminal, ran } = fakeTerminal({ env: { LOCKSTEP_ADMIN: admin.url } });
  expect(await run(['status', ...line], terminal)).toBe(2);
  expect(ran.err).toContain(want);
});
