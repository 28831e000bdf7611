import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { report, statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, refusal, startAdmin, type TestAdmin } from './fake-control.ts';
import { type Answer, type AskOptions, ask } from './http.ts';

let control: FakeControl;
let admin: TestAdmin;
const at = (path: string, options?: AskOptions): Promise<Answer> => ask(admin.url + path, options);
const post = (path: string, body?: unknown): Promise<Answer> => at(path, { method: 'POST', body });

beforeEach(async () => {
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 }), version('v2')]));
  admin = await startAdmin(control);
});
afterEach(() => admin.close());

describe('reading', () => {
  test('GET /v1/status answers the status with the epoch as ETag, never from a cache', async () => {
    const answer = await at('/v1/status');
    expect(answer).toMatchObject({ status: 200, json: control.now });
    expect(answer.headers).toMatchObject({ etag: '"41"', 'cache-control': 'no-store' });
  });

  test('GET of a version answers it with the epoch as ETag', async () => {
    const answer = await at('/v1/versions/v2');
    expect(answer).toMatchObject({ status: 200, json: control.now.versions[1] });
    expect(answer.headers['etag']).toBe('"41"');
  });

  test('GET of sessions answers the histogram', async () => {
    const answer = await at('/v1/versions/v1/sessions');
    expect(answer).toMatchObject({ status: 200, json: { version: 'v1', live: 12 } });
  });

  test('GET /v1/audit answers as many entries as asked for', async () => {
    expect((await at('/v1/audit')).json?.['entries']).toHaveLength(2);
    expect((await at('/v1/audit?limit=1')).json).toMatchObject({ entries: [{ verb: 'promote', by: 'ci' }] });
  });

  test('GET /metrics answers the text and type of the metrics', async () => {
    const answer = await at('/metrics');
    expect(answer).toMatchObject({ status: 200, text: 'lockstep_up 1\n' });
    expect(answer.headers['content-type']).toContain('version=0.0.4');
  });

  test('GET /readyz answers 503 with a reason until the gateway is ready', async () => {
    control.ready = false;
    expect(await at('/readyz')).toMatchObject({ status: 503, json: { code: 'not-ready' } });
    expect((await at('/healthz')).status).toBe(200);
    control.ready = true;
    expect(await at('/readyz')).toMatchObject({ status: 200, json: { status: 'ready' } });
  });

  test.each(['/v1/versions/nope', '/v1/versions/nope/sessions', '/v1/versions/nope/wait?for=drained'])(
    'GET %s of a version that nobody knows is a 404 unknown-version',
    async (path) => {
      expect(await at(path)).toMatchObject({ status: 404, json: { code: 'unknown-version' } });
    },
  );
});

describe('changes', () => {
  const options = { ifMatch: null, dryRun: false, by: 'local' };
  test.each([
    {
      name: 'promote without a body',
      given: () => post('/v1/versions/v2/promote'),
      want: { verb: 'promote', id: 'v2', weight: null, force: false },
    },
    {
      name: 'promote with weight and force',
      given: () => post('/v1/versions/v2/promote', { weight: 0, force: true }),
      want: { verb: 'promote', id: 'v2', weight: 0, force: true },
    },
    {
      name: 'promote with a warm-up of its own',
      given: () =>
        post('/v1/versions/v2/promote', { warm: { paths: ['/', '/login'], p95: '300ms', timeout: '2m' } }),
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        warm: { paths: ['/', '/login'], p95Ms: 300, timeoutMs: 120_000 },
      },
    },
    {
      name: 'promote by steps',
      given: () => post('/v1/versions/v2/promote', { steps: [5, 25, 100], every: '90s' }),
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        plan: { steps: [5, 25, 100], everyMs: 90_000 },
      },
    },
    {
      name: 'promote by steps, with the usual length and bounds of its own',
      given: () => post('/v1/versions/v2/promote', { steps: [50], analysis: { errors: '0.5%', p95: 2 } }),
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        plan: { steps: [50], everyMs: 600_000, analysis: { errors: 0.005, p95: 2 } },
      },
    },
    {
      name: 'promote by steps, unjudged',
      given: () => post('/v1/versions/v2/promote', { steps: [50], analysis: null }),
      want: {
        verb: 'promote',
        id: 'v2',
        weight: null,
        force: false,
        plan: { steps: [50], everyMs: 600_000, analysis: null },
      },
    },
    {
      name: 'pause of a canary',
      given: () => at('/v1/versions/v2/canary', { method: 'PATCH', body: { paused: true } }),
      want: { verb: 'set-paused', id: 'v2', paused: true },
    },
    { name: 'drain', given: () => post('/v1/versions/v2/drain'), want: { verb: 'drain', id: 'v2' } },
    {
      name: 'cutoff with a successor',
      given: () => post('/v1/versions/v1/cutoff', { reason: 'leaks', to: 'v2' }),
      want: { verb: 'cutoff', id: 'v1', reason: 'leaks', to: 'v2' },
    },
    {
      name: 'cutoff',
      given: () => post('/v1/versions/v2/cutoff', { reason: 'leaks' }),
      want: { verb: 'cutoff', id: 'v2', reason: 'leaks', to: null },
    },
    {
      name: 'retire',
      given: () => post('/v1/versions/v2/retire', {}),
      want: { verb: 'retire', id: 'v2', force: false },
    },
    {
      name: 'rollback',
      given: () => post('/v1/rollback', { sessions: 'move-on-navigation' }),
      want: { verb: 'rollback', sessions: 'move-on-navigation' },
    },
    {
      name: 'rollback that says nothing of sessions',
      given: () => post('/v1/rollback'),
      want: { verb: 'rollback', sessions: 'keep' },
    },
    {
      name: 'disable an upstream',
      given: () =>
        at('/v1/versions/v1/upstreams/127.0.0.1:9101', { method: 'PATCH', body: { enabled: false } }),
      want: { verb: 'set-enabled', id: 'v1', address: '127.0.0.1:9101', enabled: false },
    },
    {
      name: 'enable an upstream with an encoded IPv6 address',
      given: () =>
        at(`/v1/versions/v1/upstreams/${encodeURIComponent('[::1]:9101')}`, {
          method: 'PATCH',
          body: { enabled: true },
        }),
      want: { verb: 'set-enabled', id: 'v1', address: '[::1]:9101', enabled: true },
    },
    {
      name: 'delete',
      given: () => at('/v1/versions/v2', { method: 'DELETE' }),
      want: { verb: 'delete', id: 'v2' },
    },
    {
      name: 'the end of previews',
      given: () => at('/v1/versions/v2/preview', { method: 'DELETE' }),
      want: { verb: 'end-previews', id: 'v2' },
    },
    {
      name: 'put, with what its servers say',
      given: () =>
        at('/v1/versions/v3', {
          method: 'PUT',
          body: { upstreams: ['http://10.0.0.1:80'], reports: '3f2a9c1' },
        }),
      want: {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://10.0.0.1:80'],
        sameBuild: false,
        declared: null,
        reports: '3f2a9c1',
      },
    },
    {
      name: 'put, with a PROXY header',
      given: () =>
        at('/v1/versions/v3', {
          method: 'PUT',
          body: { upstreams: ['http://10.0.0.1:80'], sendProxy: 'v2' },
        }),
      want: {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://10.0.0.1:80'],
        sameBuild: false,
        declared: null,
        sendProxy: 'v2',
      },
    },
    {
      name: 'put',
      given: () => at('/v1/versions/v3', { method: 'PUT', body: { upstreams: ['http://10.0.0.1:80'] } }),
      want: { verb: 'put', id: 'v3', upstreams: ['http://10.0.0.1:80'], sameBuild: false, declared: null },
    },
    {
      name: 'a version with the name of an object’s own member',
      given: () => post('/v1/versions/constructor/drain'),
      want: { verb: 'drain', id: 'constructor' },
    },
  ])('asks the control plane for: $name', async ({ given, want }) => {
    const answer = await given();
    expect(answer).toMatchObject({ status: 200, json: { changed: true, epoch: 41 } });
    expect(answer.headers['etag']).toBe('"41"');
    expect(control.asked).toEqual([{ change: want, options }]);
  });

  test('PUT answers 201 with a Location when it created the version, 200 when it did not', async () => {
    const put = (query = '') =>
      at(`/v1/versions/v3${query}`, { method: 'PUT', body: { upstreams: ['http://10.0.0.1'] } });
    expect((await put()).status).toBe(200);
    const changes = [{ id: 'v3', from: null, to: 'staged', weight: 0, sessions: 0 }];
    control.onChange = (_change, { dryRun }) => ({
      ok: true,
      report: report(control.now, { changes, dryRun }),
    });
    const created = await put();
    expect([created.status, created.headers['location']]).toEqual([201, '/v1/versions/v3']);
    expect((await put('?dryRun=true')).status).toBe(200);
  });

  test('dryRun=true reaches the control plane', async () => {
    const answer = await post('/v1/versions/v2/promote?dryRun=true');
    expect(answer).toMatchObject({ status: 200, json: { dryRun: true } });
    expect(control.asked[0]?.options.dryRun).toBe(true);
  });

  test.each([
    '?dryRun',
    '?dryRun=1',
    '?dryRun=True',
    '?dryRun=true&dryRun=false',
    '?dryrun=true',
    '?dry-run=true',
  ])('a misspelt %s is a 400 and changes nothing', async (query) => {
    const answer = await post(`/v1/versions/v2/promote${query}`);
    expect(answer).toMatchObject({ status: 400, json: { code: 'bad-value' } });
    expect(control.asked).toEqual([]);
  });

  test('M07: what the control plane refuses is a problem with its status, code, detail and the epoch', async () => {
    control.onChange = () => refusal(409, 'unhealthy', 'v2 has no healthy upstream.');
    const answer = await post('/v1/versions/v2/promote');
    expect(answer).toMatchObject({
      status: 409,
      json: {
        type: 'about:blank',
        title: 'Conflict',
        status: 409,
        code: 'unhealthy',
        detail: 'v2 has no healthy upstream.',
      },
    });
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', etag: '"41"' });
  });

  test('M06: a stale If-Match is a 412 that tells the epoch of now', async () => {
    control.onChange = (_change, { ifMatch }) =>
      ifMatch === 40
        ? refusal(412, 'stale-epoch', 'The epoch is 41.')
        : { ok: true, report: report(control.now) };
    const promote = (ifMatch: string) =>
      at('/v1/versions/v2/promote', { method: 'POST', headers: { 'if-match': ifMatch } });
    const stale = await promote('"40"');
    expect(stale).toMatchObject({ status: 412, json: { code: 'stale-epoch' } });
    expect(stale.headers['etag']).toBe('"41"');
    expect((await promote('"41"')).status).toBe(200);
    expect((await promote('*')).status).toBe(200);
    expect(control.asked.map(({ options: { ifMatch } }) => ifMatch)).toEqual([40, 41, null]);
  });

  test.each(['41', 'W/"41"', '"41", "42"', '"v1"', '""', "'41'", '"-1"', '"4e1"'])(
    'M06: If-Match %s is a 400 and changes nothing',
    async (field) => {
      const answer = await at('/v1/versions/v2/promote', { method: 'POST', headers: { 'if-match': field } });
      expect(answer).toMatchObject({
        status: 400,
        json: { code: 'bad-value', errors: [{ path: 'If-Match' }] },
      });
      expect(control.asked).toEqual([]);
    },
  );

  test('a control plane that throws is a 500 that tells the client nothing and the log everything', async () => {
    control.onChange = () => {
      throw new Error('disk full at sector 7');
    };
    const answer = await post('/v1/versions/v2/drain');
    expect(answer).toMatchObject({ status: 500, json: { code: 'internal' } });
    expect(answer.text).not.toContain('sector');
    expect(admin.logged()).toContain('the admin API failed on a request');
  });
});

describe('values', () => {
  const promote = (body: unknown) => ({ method: 'POST', path: '/v1/versions/v2/promote', body }) as const;
  const put = (body: unknown) => ({ method: 'PUT', path: '/v1/versions/v3', body }) as const;
  const cutoff = (body: unknown) => ({ method: 'POST', path: '/v1/versions/v2/cutoff', body }) as const;
  const weight = 'weight: expected a whole number from 0 to 100, got';
  test.each([
    { id: 'M07', given: promote({ weight: 101 }), want: [`${weight} 101`] },
    { id: 'M07', given: promote({ weight: -1 }), want: [`${weight} -1`] },
    { id: 'M07', given: promote({ weight: 0.1 }), want: [`${weight} 0.1`] },
    { id: 'M07', given: promote({ weight: '50' }), want: [`${weight} "50"`] },
    { id: 'M07', given: promote({ weight: null }), want: [`${weight} null`] },
    { id: 'M05', given: promote('{"weight":1e309}'), want: [`${weight} Infinity`] },
    {
      id: 'M05',
      given: promote({ weight: [], force: 'yes', extra: 1 }),
      want: [
        `${weight} a list of 0`,
        'force: expected true or false, got "yes"',
        'extra: expected no such key',
      ],
    },
    {
      id: 'M05',
      given: promote({
        steps: [0, 101],
        every: '999ms',
        analysis: { errors: '1', p95: 0.5, min: 0, max: 1 },
      }),
      want: [
        'steps[0]: expected a whole number from 1 to 100, got 0',
        'steps[1]: expected a whole number from 1 to 100, got 101',
        'every: expected a duration from 1s to 720h, such as 10m, got "999ms"',
        'analysis.errors: expected a share from 0% to 100%, such as 1%, got "1"',
        'analysis.p95: expected a number from 1 to 100, got 0.5',
        'analysis.min: expected a whole number from 1 to 1000000, got 0',
        'analysis.max: expected no such key',
      ],
    },
    {
      id: 'M05',
      given: promote({ weight: 5, steps: [25, 25] }),
      want: [
        'weight: expected either weight or steps',
        'steps: expected each weight to be larger than the one before',
      ],
    },
    {
      id: 'M05',
      given: promote({ every: '10m', analysis: null }),
      want: ['every: expected together with steps', 'analysis: expected together with steps'],
    },
    {
      id: 'M05',
      given: promote({ warm: { paths: ['login'], count: 0, p95: 'soon', timeout: '1h', what: 1 } }),
      want: [
        'warm.paths[0]: expected a path such as /login, got "login"',
        'warm.count: expected a whole number from 1 to 1000, got 0',
        'warm.p95: expected a duration from 1ms to 30m, such as 500ms, got "soon"',
        'warm.timeout: expected a duration from 1000ms to 30m, such as 500ms, got "1h"',
        'warm.what: expected no such key',
      ],
    },
    {
      id: 'M05',
      given: promote({ warm: { paths: ['/'] }, force: true }),
      want: ['warm: expected without force, which warms nothing up'],
    },
    { id: 'M05', given: promote([]), want: [': expected an object, got a list of 0'] },
    { id: 'M05', given: promote('null'), want: [': expected an object, got null'] },
    { id: 'M05', given: put(undefined), want: [': expected an object, got nothing'] },
    { id: 'M05', given: put({}), want: ['upstreams: expected a list of http://host:port, got nothing'] },
    {
      id: 'M05',
      given: put({ upstreams: [] }),
      want: ['upstreams: expected at least one http://host:port, got a list of 0'],
    },
    {
      id: 'M05',
      given: put({ upstreams: ['http://10.0.0.1', 7, 'ftp://x', 'http://u:secret@h'], sameBuild: 0 }),
      want: [
        'upstreams[1]: expected http://host:port, got 7',
        'upstreams[2]: expected http://host:port, got "ftp://x"',
        'upstreams[3]: expected http://host:port without user name and password',
        'sameBuild: expected true or false, got 0',
      ],
    },
    {
      id: 'M05',
      given: cutoff({ reason: '', to: '../v1' }),
      want: [
        'reason: expected a text of 1 to 500 characters without control characters, got ""',
        'to: expected a version id: ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, got "../v1"',
      ],
    },
    {
      id: 'M05',
      given: cutoff({ reason: 'two\nlines' }),
      want: ['reason: expected a text of 1 to 500 characters without control characters, got "two\\nlines"'],
    },
    {
      id: 'M05',
      given: { method: 'POST', path: '/v1/rollback', body: { sessions: 'all' } } as const,
      want: ['sessions: expected keep, move or move-on-navigation, got "all"'],
    },
    {
      id: 'M05',
      given: { method: 'POST', path: '/v1/versions/v2/drain', body: { force: true } } as const,
      want: ['force: expected no such key'],
    },
    {
      id: 'V02',
      given: { method: 'POST', path: '/v1/versions/..%2Fv1/drain', body: undefined } as const,
      want: ['id: expected a version id: ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, got "../v1"'],
    },
  ])(
    '$id: $given.method $given.path with $given.body is a 400 that lists every problem',
    async ({ given, want }) => {
      const { method, body } = given;
      const answer = await at(given.path, { method, body });
      expect(answer).toMatchObject({ status: 400, json: { code: 'bad-value' } });
      const errors = answer.json?.['errors'] as { path: string; message: string }[];
      expect(errors.map(({ path, message }) => `${path}: ${message}`)).toEqual(want);
      expect(control.asked).toEqual([]);
    },
  );

  test.each([
    '/v1/status?x=1',
    '/v1/audit?limit=0',
    '/v1/audit?limit=1001',
    '/v1/audit?limit=1.5',
    '/v1/versions/v1?a=b',
  ])('GET %s is a 400', async (path) => {
    expect(await at(path)).toMatchObject({ status: 400, json: { code: 'bad-value' } });
  });
});

describe('what is not there', () => {
  test.each(['/', '/v1', '/v1/versions', '/v1/versions/v1/', '//v1/status', '/V1/status'])(
    'GET %s is a 404 problem',
    async (path) => {
      const answer = await at(path);
      expect(answer).toMatchObject({ status: 404, json: { code: 'not-found', status: 404 } });
      expect(answer.headers['content-type']).toBe('application/problem+json');
    },
  );

  test.each([
    { method: 'GET', path: '/v1/versions/v2/promote', allow: 'POST' },
    { method: 'GET', path: '/v1/rollback', allow: 'POST' },
    { method: 'POST', path: '/v1/status', allow: 'GET, HEAD' },
    { method: 'POST', path: '/v1/versions/v2', allow: 'GET, HEAD, PUT, DELETE' },
    { method: 'HEAD', path: '/v1/events', allow: 'GET' },
    { method: 'OPTIONS', path: '/v1/status', allow: 'GET, HEAD' },
  ] as const)('$method $path is a 405 that allows $allow', async ({ method, path, allow }) => {
    const answer = await at(path, { method });
    expect([answer.status, answer.headers['allow']]).toEqual([405, allow]);
    expect(control.asked).toEqual([]);
  });

  test('a path that is badly encoded is a 400 problem', async () => {
    expect(await at('/v1/versions/%zz')).toMatchObject({ status: 400, json: { code: 'malformed' } });
  });
});
