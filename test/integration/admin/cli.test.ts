import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';
import type { AskedRequest } from '../../../src/core/asked-request.ts';
import { report, statusOf, version } from '../../unit/cli/status-fixtures.ts';
import {
  type FakeControl,
  fakeControl,
  fakeExplainer,
  refusal,
  startAdmin,
  type TestAdmin,
} from './fake-control.ts';
import { fakeTerminal } from './fake-terminal.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 }), version('v2')]));
  admin = await startAdmin(control);
});
afterEach(() => admin.close());

function cli(line: string, more: Partial<Terminal> = {}) {
  const { terminal, ran, interrupt } = fakeTerminal({ env: { LOCKSTEP_ADMIN: admin.url }, ...more });
  const done: Promise<Ran> = run(line === '' ? [] : line.split(' '), terminal).then((code) => ({
    ...ran,
    code,
  }));
  return { ran, done, interrupt };
}
const lockstep = (line: string, more?: Partial<Terminal>): Promise<Ran> => cli(line, more).done;

describe('the changing verbs', () => {
  test.each([
    {
      line: 'put v3 --upstream http://10.0.0.1:80 --upstream 10.0.0.2:80 --same-build',
      want: {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://10.0.0.1:80', 'http://10.0.0.2:80'],
        sameBuild: true,
        declared: null,
      },
    },
    {
      line: 'put v3 --upstream c:80 --send-proxy v2',
      want: {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://c:80'],
        sameBuild: false,
        declared: null,
        sendProxy: 'v2',
      },
    },
    {
      line: 'put v3 --upstream c:80 --accepts-clients-of v1 --accepts-clients-of ^1.4',
      want: {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://c:80'],
        sameBuild: false,
        declared: null,
        acceptsClientsOf: ['v1', '^1.4'],
      },
    },
    { line: 'promote v2', want: { verb: 'promote', id: 'v2', weight: null, force: false } },
    { line: 'promote v2 --weight 0 --force', want: { verb: 'promote', id: 'v2', weight: 0, force: true } },
    {
      line: 'promote v2 --steps 5,25,100 --every 90s --errors 0.5% --p95 2 --min 50',
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        plan: { steps: [5, 25, 100], everyMs: 90_000, analysis: { errors: 0.005, p95: 2, min: 50 } },
      },
    },
    {
      line: 'promote v2 --steps 100 --unjudged',
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        plan: { steps: [100], everyMs: 600_000, analysis: null },
      },
    },
    { line: 'pause v2', want: { verb: 'set-paused', id: 'v2', paused: true } },
    { line: 'resume v2', want: { verb: 'set-paused', id: 'v2', paused: false } },
    { line: 'drain v2', want: { verb: 'drain', id: 'v2' } },
    { line: 'rollback', want: { verb: 'rollback', sessions: 'keep' } },
    { line: 'rollback --sessions move', want: { verb: 'rollback', sessions: 'move' } },
    { line: 'cutoff v1 --reason leak --to v2', want: { verb: 'cutoff', id: 'v1', reason: 'leak', to: 'v2' } },
    { line: 'retire v2 --force', want: { verb: 'retire', id: 'v2', force: true } },
    {
      line: 'disable v1 127.0.0.1:9101',
      want: { verb: 'set-enabled', id: 'v1', address: '127.0.0.1:9101', enabled: false },
    },
    {
      line: 'enable v1 http://[::1]:9101/',
      want: { verb: 'set-enabled', id: 'v1', address: '[::1]:9101', enabled: true },
    },
  ])('lockstep $line', async ({ line, want }) => {
    expect(await lockstep(line)).toMatchObject({ code: 0, err: '' });
    expect(control.asked.map(({ change }) => change)).toEqual([want]);
  });

  test('print what happened to whom', async () => {
    const changes = [{ id: 'v2', from: 'staged', to: 'active', weight: 100, sessions: 0 }];
    control.onChange = () => ({ ok: true, report: report(control.now, { changes }) });
    expect(await lockstep('promote v2')).toEqual({
      code: 0,
      out: 'v2 now gets all new sessions.\n',
      err: '',
    });
    control.onChange = () => ({ ok: true, report: report(control.now) });
    expect((await lockstep('disable v1 127.0.0.1:9101')).out).toBe(
      '127.0.0.1:9101 of v1 is disabled: it gets no new requests.\n',
    );
  });

  test('--dry-run and --if-match reach the gateway, --json prints its answer', async () => {
    const { code, out } = await lockstep('promote v2 --dry-run --if-match 41 --json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(report(control.now, { dryRun: true }));
    expect(control.asked[0]?.options).toEqual({ dryRun: true, ifMatch: 41, by: 'local' });
  });

  test('a refusal is exit 1 with the reason and what to do', async () => {
    control.onChange = () => refusal(412, 'stale-epoch', 'The epoch is 42, not 41.');
    expect(await lockstep('promote v2 --if-match 41')).toEqual({
      code: 1,
      out: '',
      err: 'lockstep: The epoch is 42, not 41 — somebody changed something in between: look at lockstep status, then try again.\n',
    });
  });
});

describe('promote while it is warmed up', () => {
  const warming = { warm: 1, of: 2, requests: 7, slowest: '10.0.0.1:80/', p95Ms: 812, errors: 0 };
  const promoting = (more?: Partial<Terminal>) => {
    const warm = Promise.withResolvers<void>();
    const outcome = { ok: true, report: report(control.now) } as const;
    control.onChange = () => warm.promise.then(() => outcome);
    return { ...cli('promote v2', more), finish: warm.resolve };
  };

  test('shows people how far it is, and takes that away at the end', async () => {
    const { ran, done, finish } = promoting({ isWatched: true });
    await vi.waitFor(() => expect([control.asked.length, control.listeners()]).toEqual([1, 1]));
    control.emit('warming', 'v9', warming);
    control.emit('warming', 'v2', warming);
    await vi.waitFor(() => expect(ran.err).toContain('v2 is warmed up: 1 of 2 warm, 7 requests'));
    expect(ran.err).not.toContain('v9');
    finish();
    expect(await done).toMatchObject({ code: 0, out: 'v2 gets 100% of new sessions.\n' });
    expect(ran.err.endsWith('\r\u001b[K')).toBe(true);
    await vi.waitFor(() => expect(control.listeners()).toBe(0));
  });

  test('is silent when nobody watches', async () => {
    const { done, finish } = promoting();
    await vi.waitFor(() => expect(control.asked).toHaveLength(1));
    expect(control.listeners()).toBe(0);
    finish();
    expect(await done).toMatchObject({ code: 0, err: '' });
  });
});

describe('the asking verbs', () => {
  test('status prints the table, or with --json what the API answers', async () => {
    expect((await lockstep('status')).out).toMatch(/^epoch 41 {3}active v1\n\nVERSION .*\nv1 +active +100%/);
    expect(JSON.parse((await lockstep('status --json')).out)).toEqual(control.now);
  });

  test('sessions prints a histogram of one version', async () => {
    expect((await lockstep('sessions v1')).out).toBe(
      [
        'v1: 12 live, 10 confirmed, 1 stream; last seen',
        `  up to 1m              7  ${'█'.repeat(53)}`,
        `  up to 30m             3  ${'█'.repeat(22)}▊`,
        '  over 30m              0',
        '',
      ].join('\n'),
    );
  });

  test('sessions without an id asks for every version that has some', async () => {
    expect((await lockstep('sessions')).out).toBe('No live sessions.\n');
    control.now = statusOf([
      version('v1', { sessions: { live: 1, confirmed: 0, streams: 0 } }),
      version('v2'),
    ]);
    const all = JSON.parse((await lockstep('sessions --json')).out) as { version: string }[];
    expect(all.map((one) => one.version)).toEqual(['v1']);
  });

  test('events prints the past, then what happens, through a restart, until it is interrupted', async () => {
    control.emit('promoted', 'v1');
    const { ran, done, interrupt } = cli('events');
    await vi.waitFor(() => expect(ran.out).toMatch(/promoted +v1\n$/));
    control.emit('draining', 'v1');
    await vi.waitFor(() => expect(ran.out).toMatch(/draining +v1\n$/));
    await admin.close();
    admin = await startAdmin(control, { port: admin.port });
    control.emit('drained', 'v1');
    await vi.waitFor(() => expect(ran.out).toMatch(/drained +v1\n$/), { timeout: 10_000 });
    interrupt();
    expect(await done).toMatchObject({ code: 0, err: '' });
    expect(ran.out.split('\n')).toHaveLength(4);
  });

  test('events --json prints one line of JSON an event', async () => {
    control.emit('promoted', 'v1');
    const { ran, done, interrupt } = cli('events --json');
    await vi.waitFor(() => expect(JSON.parse(ran.out)).toMatchObject({ id: 1, type: 'promoted' }));
    interrupt();
    await done;
  });
});

describe('explain', () => {
  const asking = async (...args: string[]) => {
    const asked: AskedRequest[] = [];
    const own = await startAdmin(control, { explainer: fakeExplainer(asked) });
    const { terminal, ran } = fakeTerminal({ env: { LOCKSTEP_ADMIN: own.url } });
    const code = await run(['explain', ...args], terminal);
    await own.close();
    return { code, ...ran, asked };
  };

  test('asks for a page, with its cookies and header fields', async () => {
    const fields = [
      '--header',
      'Cookie: a=b',
      '--cookie',
      'c=d',
      '--header',
      'User-Agent:  Mozilla/5.0 (X) ',
    ];
    const { code, out, asked } = await asking(
      'https://shop.example/cart?x',
      ...fields,
      '--cookie',
      'e="f; g"',
    );
    expect(asked).toEqual([
      {
        url: 'https://shop.example/cart?x',
        method: 'GET',
        client: '127.0.0.1',
        headers: { accept: 'text/html', cookie: 'a=b; c=d; e="f; g"', 'user-agent': 'Mozilla/5.0 (X)' },
      },
    ]);
    expect([code, out.split('\n')[0]]).toEqual([0, expect.stringMatching(/^GET https:.* is a navigation\./)]);
  });

  test('asks for no page where it is said what is asked for', async () => {
    const kinds = [
      ['--method', 'POST'],
      ['--header', 'Sec-Fetch-Dest: empty'],
      ['--header', 'x-lockstep-version: v1'],
    ];
    for (const kind of kinds)
      expect((await asking('/api', ...kind)).asked[0]?.headers).not.toHaveProperty('accept');
  });

  test('finds a request of the access log, and says what to do when it is forgotten', async () => {
    expect(await asking('--request', 'p-1')).toMatchObject({
      code: 0,
      out: expect.stringContaining('was a navigation'),
    });
    expect(await asking('--request', 'p-2')).toMatchObject({
      code: 1,
      err: expect.stringContaining('— take the id of a younger line of the access log.'),
    });
  });

  test('--json prints what the API answers', async () => {
    expect(JSON.parse((await asking('/', '--json')).out)).toMatchObject({ reason: 'pinned', past: null });
  });

  test.each([
    { args: [], want: 'expected either a URL or --request ID' },
    { args: ['/', '--request', 'p-1'], want: 'expected either a URL or --request ID' },
    { args: ['--request', 'p-1', '--cookie', 'a=b'], want: '--cookie: expected without --request' },
    { args: ['/', '--header', 'no colon'], want: "--header: expected 'NAME: VALUE'" },
    { args: ['/', '--cookie', 'novalue'], want: "--cookie: expected 'NAME=VALUE'" },
  ])('$args is exit 2', async ({ args, want }) => {
    const { code, err, asked } = await asking(...args);
    expect([code, asked]).toEqual([2, []]);
    expect(err).toContain(want);
  });
});

describe('wait', () => {
  const draining = version('v1', { state: 'draining', sessions: { live: 3, confirmed: 3, streams: 0 } });
  const notYet = { outcome: 'timed-out', detail: '3 sessions are left.', version: draining } as const;

  test('ends with 0 when it is so', async () => {
    expect(await lockstep('wait v1 --for drained')).toEqual({ code: 0, out: 'v1 is there.\n', err: '' });
    expect(control.waits).toMatchObject([{ goal: 'drained', timeoutMs: 30_000 }]);
  });

  test('ends with 1 when it can never be', async () => {
    control.onWait = async () => ({ ...notYet, outcome: 'failed', detail: 'v1 is active.' });
    const { code, err } = await lockstep('wait v1 --for drained');
    expect([code, err]).toEqual([1, 'lockstep: v1 is active — see: lockstep status.\n']);
  });

  test('ends with 3 when the time is up, and does not ask in a storm', async () => {
    control.onWait = async () => notYet;
    const { code, err } = await lockstep('wait v1 --for drained --timeout 200ms');
    expect(code).toBe(3);
    expect(err).toBe(
      'lockstep: v1 is not drained after 200ms: 3 sessions are left — see: lockstep status.\n',
    );
    expect(control.waits.length).toBeLessThan(4);
  });

  test('shows who watches how it goes, in one line that is written over', async () => {
    control.onWait = async () => notYet;
    const { err } = await lockstep('wait v1 --for drained --timeout 50ms', { isWatched: true });
    expect(err).toMatch(/^v1 draining; 3 live; 0 streams; 1 of 1 up\r\u001b\[K/);
  });

  test('survives a restart of the gateway, and says once that it is gone', async () => {
    let answer: 'wait' | 'done' = 'wait';
    control.onWait = (_id, _timeoutMs, signal) =>
      answer === 'done'
        ? Promise.resolve({ outcome: 'done', detail: 'v1 is drained.', version: draining })
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve(notYet)));
    const { ran, done } = cli('wait v1 --for drained --timeout 1m');
    await vi.waitFor(() => expect(control.waits).toHaveLength(1));
    await admin.close();
    await vi.waitFor(() => expect(ran.err).not.toBe(''));
    answer = 'done';
    admin = await startAdmin(control, { port: admin.port });
    expect(await done).toMatchObject({ code: 0, out: 'v1 is drained.\n' });
    expect(ran.err).toBe('lockstep: The gateway is shutting down; trying again until the time is up\n');
  });

  test('gives up on a gateway that never answers when the time is up', async () => {
    const { code, err } = await lockstep('wait v1 --for healthy --timeout 100ms --admin http://127.0.0.1:1');
    expect(code).toBe(3);
    expect(err).toMatch(
      /^lockstep: no answer from .* \(connection refused\); trying again .*\nlockstep: v1 is not healthy/,
    );
  });

  test('an interrupt ends it with 1', async () => {
    control.onWait = () => new Promise(() => {});
    const { done, interrupt } = cli('wait v1 --for drained');
    await vi.waitFor(() => expect(control.waits).toHaveLength(1));
    interrupt();
    expect((await done).code).toBe(1);
  });
});

describe('the connection', () => {
  test('a refused one tells which URL was tried and how to set it', async () => {
    expect(await lockstep('status --admin http://127.0.0.1:1')).toEqual({
      code: 1,
      out: '',
      err: 'lockstep: no answer from http://127.0.0.1:1 (connection refused) — is the gateway running? Set another address with --admin URL or LOCKSTEP_ADMIN.\n',
    });
  });

  test('an unknown version, a missing token and a wrong one each tell what to do', async () => {
    const closed = await startAdmin(control, { tokens: [{ name: 'ci', token: 'right', role: 'operator' }] });
    const env = { LOCKSTEP_ADMIN: closed.url };
    const none = await lockstep('status', { env });
    const wrong = await lockstep('status --token wr0ng', { env });
    const right = await lockstep('sessions nope', { env: { ...env, LOCKSTEP_TOKEN: 'right' } });
    await closed.close();
    expect(none).toMatchObject({
      code: 1,
      err: expect.stringContaining('— set LOCKSTEP_TOKEN or give --token'),
    });
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('the token was not accepted') });
    expect(right).toMatchObject({ code: 1, err: expect.stringContaining('There is no version nope') });
    expect(wrong.err).not.toContain('wr0ng');
  });

  test('a server that is not the admin API is said to be none', async () => {
    const { createServer } = await import('node:http');
    const server = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as { port: number };
    const { code, err } = await lockstep(`status --admin http://127.0.0.1:${port}`);
    server.close();
    server.closeAllConnections();
    expect([code, err]).toEqual([1, expect.stringContaining("does not answer like Lockstep's admin API")]);
  });
});

test('a failure is wrapped for people, and one line for programs', async () => {
  const people = await lockstep('status --admin http://127.0.0.1:1', { isWatched: true, columns: 60 });
  const programs = await lockstep('status --admin http://127.0.0.1:1', { columns: 60 });
  expect(Math.max(...people.err.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(people.err.replaceAll(/\s+/g, ' ')).toBe(programs.err.replaceAll(/\s+/g, ' '));
  expect(programs.err.split('\n')).toHaveLength(2);
});

describe('--json', () => {
  test.each([
    { line: 'promote nope --json', code: 'unknown-version', exitCode: 1, refused: true },
    { line: 'status --json --admin http://127.0.0.1:1', code: 'unreachable', exitCode: 1, refused: false },
    { line: 'promote --json', code: 'usage', exitCode: 2, refused: false },
  ])('tells a failure as JSON too: $line', async ({ line, code, exitCode, refused }) => {
    if (refused) control.onChange = () => refusal(404, 'unknown-version', 'There is no version nope.');
    const ran = await lockstep(line);
    expect([ran.code, ran.out]).toEqual([exitCode, '']);
    expect(JSON.parse(ran.err)).toEqual({
      error: { code, exitCode, message: expect.any(String), advice: expect.any(String) },
    });
  });
});

describe('usage', () => {
  test.each([
    { line: '', want: 'Usage: lockstep COMMAND' },
    { line: 'explode', want: 'there is no command "explode" — see: lockstep --help.' },
    {
      line: 'promot v2',
      want: 'there is no command "promot"; did you mean promote? — see: lockstep --help.',
    },
    { line: 'status now', want: 'unexpected argument now — see: lockstep status --help.' },
    {
      line: 'status --jso',
      want: "Unknown option '--jso'; did you mean --json? — see: lockstep status --help.",
    },
    { line: 'promote', want: 'expected: lockstep promote ID' },
    { line: 'promote ../v1', want: 'expected a version id' },
    { line: 'promote v2 --weight 101', want: '--weight: expected a whole number from 0 to 100' },
    { line: 'promote v2 --weight=-1', want: '--weight: expected a whole number from 0 to 100' },
    { line: 'promote v2 --weight 0.1', want: '--weight: expected a whole number from 0 to 100' },
    { line: 'promote v2 --steps 5,5', want: '--steps: expected weights from 1 to 100, each larger' },
    { line: 'promote v2 --steps 5;10', want: '--steps: expected weights from 1 to 100, each larger' },
    { line: 'promote v2 --steps 5,101', want: '--steps: expected weights from 1 to 100, each larger' },
    { line: 'promote v2 --steps 5 --weight 5', want: '--steps: expected without --weight' },
    { line: 'promote v2 --steps 5 --every 10', want: '--every: expected a duration from 1s to 720h' },
    { line: 'promote v2 --every 10m', want: '--every: expected together with --steps' },
    { line: 'promote v2 --unjudged', want: '--unjudged: expected together with --steps' },
    { line: 'promote v2 --steps 5 --errors 1', want: '--errors: expected a share such as 1%' },
    { line: 'promote v2 --steps 5 --p95 x', want: '--p95: expected a number such as 1.5' },
    { line: 'promote v2 --steps 5 --min 0', want: '--min: expected a whole number from 1' },
    {
      line: 'promote v2 --steps 5 --min 5 --unjudged',
      want: '--unjudged: expected without --errors, --p95 and --min',
    },
    { line: 'promote v2 --if-match "41"', want: '--if-match: expected the epoch' },
    { line: 'put v3', want: '--upstream is needed' },
    { line: 'cutoff v1', want: '--reason is needed' },
    { line: 'cutoff v1 --reason x --to ../v2', want: 'expected a version id' },
    { line: 'rollback --sessions all', want: '--sessions: expected keep, move, move-on-navigation' },
    { line: 'wait v1', want: '--for: expected healthy or drained' },
    { line: 'wait v1 --for drained --timeout 5', want: '--timeout: expected a duration' },
    { line: 'enable v1', want: 'expected: lockstep enable ID ADDRESS' },
    { line: 'check', want: '--config is needed' },
    { line: 'serve', want: '--config is needed' },
    { line: 'status --admin ftp://x', want: '--admin: expected a URL such as' },
    { line: 'status --admin http://u:secret@x', want: 'without user name and password' },
  ])('"lockstep $line" is exit 2', async ({ line, want }) => {
    const { code, out, err } = await lockstep(line);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(want);
    expect(err).not.toContain('secret');
    expect(control.asked).toEqual([]);
  });

  const verbs =
    'serve check demo status put promote pause resume drain rollback cutoff retire wait enable disable sessions events explain';
  test.each(verbs.split(' '))('%s tells how it is used, in 100 columns', async (verb) => {
    const { code, out, err } = await lockstep(`${verb} --help`);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^Usage: lockstep ${verb}( |\n)`));
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect((await lockstep('--help')).out).toContain(`\n  ${verb} `);
  });

  test('--version prints the version of the package', async () => {
    expect(await lockstep('--version')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});
