// M06: a change that is sent again under its Idempotency-Key is done once and answered alike, and the command line sends it
// again by itself when the connection broke, and only then.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import { report, statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, refusal, startAdmin, type TestAdmin } from './fake-control.ts';
import { fakeTerminal } from './fake-terminal.ts';
import { type Answer, ask } from './http.ts';

const tokens = [
  { name: 'ci', token: 'operator-token-0123456789abcdef', role: 'operator' },
  { name: 'night', token: 'other-token-0123456789abcdefgh', role: 'operator' },
] as const;
let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 }), version('v2')]));
  admin = await startAdmin(control, { tokens });
});
afterEach(() => admin.close());

const send = (path: string, body: unknown, headers: Record<string, string>, by = 0): Promise<Answer> =>
  ask(`${admin.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens[by]!.token}`, ...headers },
    body,
  });
const PROMOTE = '/v1/versions/v2/promote';

describe('M06: the same Idempotency-Key', () => {
  test('with the same request gives the answer of before, and nothing is done again', async () => {
    const first = await send(PROMOTE, { weight: 5 }, { 'idempotency-key': 'a' });
    control.now = { ...control.now, epoch: control.now.epoch + 7 };
    const again = await send(PROMOTE, { weight: 5 }, { 'idempotency-key': 'a' });
    expect([again.status, again.text, again.headers['etag']]).toEqual([
      200,
      first.text,
      first.headers['etag'],
    ]);
    expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([
      undefined,
      'true',
    ]);
    expect(control.asked).toHaveLength(1);
  });

  test.each([
    { what: 'another body', path: PROMOTE, body: { weight: 6 }, headers: {} },
    { what: 'another version', path: '/v1/versions/v1/promote', body: { weight: 5 }, headers: {} },
    { what: 'dryRun', path: `${PROMOTE}?dryRun=true`, body: { weight: 5 }, headers: {} },
    { what: 'another If-Match', path: PROMOTE, body: { weight: 5 }, headers: { 'if-match': '"3"' } },
  ])('with $what is a 422', async ({ path, body, headers }) => {
    await send(PROMOTE, { weight: 5 }, { 'idempotency-key': 'a' });
    const other = await send(path, body, { 'idempotency-key': 'a', ...headers });
    expect([other.status, other.json?.['code']]).toEqual([422, 'idempotency-key-reused']);
    expect(control.asked).toHaveLength(1);
  });

  test('of another caller, another key and none at all are requests of their own', async () => {
    await send(PROMOTE, {}, { 'idempotency-key': 'a' });
    await send(PROMOTE, {}, { 'idempotency-key': 'a' }, 1);
    await send(PROMOTE, {}, { 'idempotency-key': 'b' });
    await send(PROMOTE, {}, {});
    await send(PROMOTE, {}, {});
    expect(control.asked).toHaveLength(5);
  });

  test('while the first is under way waits for its answer', async () => {
    const gate = Promise.withResolvers<void>();
    control.onChange = async () => {
      await gate.promise;
      return { ok: true, report: report(control.now) };
    };
    const both = [1, 2].map(() => send(PROMOTE, {}, { 'idempotency-key': 'a' }));
    setTimeout(gate.resolve, 50);
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
    expect(control.asked).toHaveLength(1);
  });

  test('gives a refusal again, but not one that may pass by itself', async () => {
    control.onChange = () => refusal(409, 'unhealthy', 'v2 has no healthy upstream.');
    for (let n = 0; n < 2; n++)
      expect((await send(PROMOTE, {}, { 'idempotency-key': 'a' })).status).toBe(409);
    expect(control.asked).toHaveLength(1);
    control.onChange = () => ({ ok: false, problem: { status: 503, code: 'state-unwritable', detail: 'x' } });
    for (let n = 0; n < 2; n++)
      expect((await send(PROMOTE, {}, { 'idempotency-key': 'b' })).status).toBe(503);
    expect(control.asked).toHaveLength(3);
    control.onChange = () => refusal(409, 'caller-left', 'They left.');
    for (let n = 0; n < 2; n++)
      expect((await send(PROMOTE, {}, { 'idempotency-key': 'c' })).status).toBe(409);
    expect(control.asked).toHaveLength(5);
  });

  test('that is older than this gateway and not known to it is refused rather than done again', async () => {
    const old = await send('/v1/rollback', {}, { 'idempotency-key': 'a', 'idempotency-age': '3600' });
    expect([old.status, old.json?.['code']]).toEqual([409, 'restarted']);
    expect(control.asked).toHaveLength(0);
    const young = await send('/v1/rollback', {}, { 'idempotency-key': 'a', 'idempotency-age': '0.001' });
    expect(young.status).toBe(200);
  });

  test('is forgotten after a thousand others', async () => {
    for (let n = 0; n <= 1_000; n++) await send(PROMOTE, {}, { 'idempotency-key': `k${n}` });
    expect((await send(PROMOTE, {}, { 'idempotency-key': 'k1000' })).headers['idempotency-replayed']).toBe(
      'true',
    );
    expect((await send(PROMOTE, {}, { 'idempotency-key': 'k0' })).headers['idempotency-replayed']).toBe(
      undefined,
    );
  });

  test.each(['', 'a b', 'ä', 'x'.repeat(129)])('%j is a 400', async (key) => {
    expect(
      (await send(PROMOTE, {}, { 'idempotency-key': encodeURI(key) === key ? key : 'a b' })).status,
    ).toBe(400);
  });

  test('holds for reloads', async () => {
    const [first, again] = [1, 2].map(() => send('/v1/reload', {}, { 'idempotency-key': 'r' }));
    expect([(await first!).status, (await again!).status]).toEqual([200, 200]);
    expect((await again!).headers['idempotency-replayed']).toBe('true');
  });
});

describe('M06: lockstep, when the connection breaks', () => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  /** Between the command and the API: passes requests on, and cuts the first answers. */
  const cutterOf = async (cuts: number): Promise<{ url: string; connections: () => number }> => {
    let connections = 0;
    const sockets = new Set<Socket>();
    const server: Server = createServer((client) => {
      const isCut = ++connections <= cuts;
      const api = connect(admin.port, '127.0.0.1');
      for (const socket of [client, api]) {
        sockets.add(socket);
        socket.on('error', () => {});
      }
      client.pipe(api);
      api.on('data', (data) => (isCut ? client.resetAndDestroy() : client.write(data)));
      client.on('close', () => api.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return {
      url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      connections: () => connections,
    };
  };
  const lockstep = async (line: string, url: string): Promise<{ code: number; err: string }> => {
    const env = { LOCKSTEP_ADMIN: url, LOCKSTEP_TOKEN: tokens[0].token };
    const { terminal, ran } = fakeTerminal({ env });
    return { code: await run(line.split(' '), terminal), err: ran.err };
  };

  test.each(['rollback', 'promote v2', 'put v2 --upstream http://10.0.0.1:80', 'cutoff v2 --reason x'])(
    '%s is sent again, and done once',
    async (line) => {
      const cutter = await cutterOf(2);
      expect(await lockstep(line, cutter.url)).toMatchObject({ code: 0 });
      expect([cutter.connections(), control.asked.length]).toEqual([3, 1]);
    },
  );

  test('gives up after a while, and says that it may have been done', async () => {
    const cutter = await cutterOf(99);
    const { code, err } = await lockstep('rollback', cutter.url);
    expect([code, control.asked.length]).toEqual([1, 1]);
    expect(err).toContain('may have been done');
  });

  test('sends nothing again that was answered, or that found nobody', async () => {
    control.onChange = () => ({ ok: false, problem: { status: 503, code: 'state-unwritable', detail: 'x' } });
    expect((await lockstep('rollback', admin.url)).code).toBe(1);
    expect(control.asked).toHaveLength(1);
    expect((await lockstep('rollback', 'http://127.0.0.1:1')).err).toContain('connection refused');
  });
});
