// The configuration file read again by a running gateway: what takes effect, what does not and says so, what is refused.

import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { ReloadReport, SettingsReport } from '../../src/core/settings.ts';
import type { VersionStatus } from '../../src/core/status.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type Answer, httpRequest } from '../kit/http-request.ts';
import { PIN_KEY, pinOf } from '../kit/two-versions.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const OTHER_KEY = 'another key that is just as long and as good';
const TOKENS = [{ name: 'ops', token: 'J4s8hG2kLq0zXv6n', role: 'operator' }];

interface Scene {
  readonly v1: Upstream;
  readonly v2: Upstream;
  /** What the gateway was started with. */
  readonly base: GatewaySettings;
  readonly gateway: GatewayProcess;
  /** Rewrites the file and has it read. */
  reload(settings: GatewaySettings, query?: string): Promise<Answer>;
  /** The same where it must succeed. */
  reloaded(settings: GatewaySettings): Promise<ReloadReport>;
  api(cookie: string, headers?: Record<string, string>): Promise<Answer>;
  versionOf(cookie: string): Promise<unknown>;
  stateOf(id: string): Promise<VersionStatus | undefined>;
}

/** v1 is active and v2 staged. Scenes run beside each other: each test ends its own. */
async function start({ onTestFinished: ends }: TestContext): Promise<Scene> {
  const v1 = await startUpstream({ version: 'v1' });
  ends(() => v1.stop());
  const v2 = await startUpstream({ version: 'v2' });
  ends(() => v2.stop());
  const base: GatewaySettings = {
    versions: { v1: [v1.url], v2: [v2.url] },
    active: 'v1',
    cookie: { keys: [PIN_KEY] },
    // Nobody is ill here for want of a core.
    health: { interval: '1s', timeout: '1s' },
  };
  const gateway = await startGatewayProcess(base);
  ends(() => gateway.stop());
  const reload: Scene['reload'] = async (settings, query = '') => {
    await gateway.rewrite(settings);
    return gateway.admin.call('POST', `/v1/reload${query}`);
  };
  const api: Scene['api'] = (cookie, headers = {}) =>
    httpRequest(`${gateway.url}/api/x`, { headers: { ...(cookie !== '' && { cookie }), ...headers } });
  return {
    v1,
    v2,
    base,
    gateway,
    reload,
    reloaded: async (settings) => {
      const answer = await reload(settings);
      expect(answer.status, answer.text()).toBe(200);
      return answer.json<ReloadReport>();
    },
    api,
    versionOf: async (cookie) => (await api(cookie)).headers['x-lockstep-version'],
    stateOf: async (id) => (await gateway.admin.status()).versions.find((version) => version.id === id),
  };
}

describe.concurrent('a reload', () => {
  test('puts every kind of setting in force, and tells what changed in the words of the file', async (context) => {
    const { v1, base, gateway, reloaded, api } = await start(context);
    const report = await reloaded({
      ...base,
      limits: { uri: '64' },
      cookie: { ...base.cookie, sameSite: 'none', idle: '20m' },
      more: { hosts: ['127.0.0.1'], affinity: 'upstream', trustedProxies: ['127.0.0.1/32'] },
    });
    expect(report.changed).toEqual(
      expect.arrayContaining([
        { key: 'limits.uri', from: '8KiB', to: '64' },
        { key: 'cookie.idle', from: '30m', to: '20m' },
        { key: 'hosts', from: null, to: ['127.0.0.1'] },
      ]),
    );
    expect(report.needsRestart).toEqual([]);
    expect((await api('', { host: 'elsewhere.example' })).status).toBe(421);
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(414);
    const pinned = await api('', { 'x-forwarded-for': '192.0.2.7' });
    expect(pinned.setCookies[0]).toMatch(/SameSite=None/);
    // Under affinity a pin has one field more.
    expect(pinned.setCookies[0]!.split(';')[0]!.split('~')).toHaveLength(6);
    expect(v1.requests.at(-1)?.headers['x-forwarded-for']).toContain('192.0.2.7');
  });

  test('leaves what needs a restart as it was, and lists it, until the file agrees again', async (context) => {
    const { base, gateway, reloaded, versionOf } = await start(context);
    const report = await reloaded({ ...base, limits: { sessions: 5000 }, listen: '127.0.0.1:1' });
    expect(report.changed).toEqual([]);
    expect(report.needsRestart.map(({ key }) => key).sort()).toEqual(['limits.sessions', 'listen']);
    const listed = async () =>
      (await gateway.admin.call('GET', '/v1/config')).json<SettingsReport>().settings;
    expect((await listed()).find(({ key }) => key === 'limits.sessions')).toMatchObject({
      value: 1000000,
      from: 'default',
      pending: { value: 5000 },
    });
    expect(await versionOf('')).toBe('v1');
    await reloaded(base);
    expect((await listed()).filter(({ pending }) => pending !== null)).toEqual([]);
  });

  test('of a file with mistakes changes nothing and names each of them', async (context) => {
    const { base, gateway, reload } = await start(context);
    const events = await gateway.admin.follow();
    const answer = await reload({ ...base, cookie: { idle: 'soon', nmae: 'x' }, limits: { uri: 64 } });
    expect(answer.status).toBe(400);
    const problem = answer.json<{ code: string; errors: { path: string; message: string }[] }>();
    expect(problem.code).toBe('bad-config');
    expect(problem.errors.map(({ path }) => path).sort()).toEqual(['cookie.idle', 'cookie.nmae']);
    expect(problem.errors[0]!.message).toMatch(/^expected .*lockstep\.yaml:\d+\)$/);
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(200);
    await waitFor(() => events.seen.some(({ type }) => type === 'reload-failed'), { what: 'the event' });
    events.stop();
    expect(gateway.process().stderr()).toContain('reload failed: The old configuration stays in force');
    const { entries } = (await gateway.admin.call('GET', '/v1/audit')).json<{ entries: object[] }>();
    expect(entries[0]).toMatchObject({ verb: 'reload', outcome: 'refused', code: 'bad-config', by: 'local' });
  });

  test.for([
    { name: 'a file that is gone', spoil: (file: string) => rename(file, `${file}.old`) },
    { name: 'a file that is no YAML', spoil: (file: string) => writeFile(file, '{') },
  ])(
    'of $name by SIGHUP leaves the old one in force, and the process running',
    async ({ spoil }, context) => {
      const { gateway, versionOf } = await start(context);
      await spoil(gateway.configFile);
      gateway.process().signal('SIGHUP');
      await waitFor(() => gateway.process().stderr().includes('reload failed'), {
        what: 'the log to say so',
      });
      expect(await versionOf('')).toBe('v1');
    },
  );

  test('by SIGHUP is one, and is audited as such', async (context) => {
    const { base, gateway } = await start(context);
    await gateway.rewrite({ ...base, limits: { uri: '64' } });
    gateway.process().signal('SIGHUP');
    await waitFor(async () => (await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status === 414, {
      what: 'the new limit',
    });
    const latest = async () =>
      (await gateway.admin.call('GET', '/v1/audit')).json<{ entries: { by: string }[] }>().entries[0];
    await waitFor(async () => (await latest())?.by === 'SIGHUP', { what: 'the entry of the audit log' });
    expect(await latest()).toMatchObject({
      verb: 'reload',
      outcome: 'done',
      detail: { changed: ['limits.uri'] },
    });
  });

  test('that is only tried changes nothing', async (context) => {
    const { base, gateway, reload } = await start(context);
    const answer = await reload({ ...base, limits: { uri: '64' } }, '?dryRun=true');
    expect(answer.json<ReloadReport>()).toMatchObject({ dryRun: true, changed: [{ key: 'limits.uri' }] });
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(200);
  });

  test('that comes to nothing leaves no file open', async (context) => {
    const { base, gateway, reload } = await start(context);
    const file = join(gateway.stateDir, 'access.log');
    const openFiles = async () => (await readdir(`/proc/${gateway.process().pid}/fd`)).length;
    await reload({ ...base, accessLog: { file } }, '?dryRun=true');
    const before = await openFiles();
    for (let count = 0; count < 10; count++) {
      await gateway.admin.call('POST', '/v1/reload?dryRun=true');
      await gateway.admin.call('POST', '/v1/reload', undefined, { 'if-match': '"999"' });
    }
    expect(await openFiles()).toBeLessThan(before + 10);
  });

  test('for an epoch that is over is refused', async (context) => {
    const { base, gateway } = await start(context);
    await gateway.rewrite({ ...base, limits: { uri: '64' } });
    const answer = await gateway.admin.call('POST', '/v1/reload', undefined, { 'if-match': '"999"' });
    expect(answer.status).toBe(412);
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(200);
  });

  test('is for the requests after it: one that waits goes on as it began', async (context) => {
    const { v1, base, gateway, reloaded, api, stateOf } = await start(context);
    await reloaded({ ...base, deadPin: { patience: '20s' } });
    const pin = `lockstep=${pinOf({ version: 'v1' })}`;
    expect((await api(pin)).status).toBe(200);
    await v1.kill();
    await waitFor(async () => (await stateOf('v1'))?.upstreams[0]?.health === 'down', {
      what: 'v1 to be down',
    });
    const fields = Array.from({ length: 50 }, (_, index) => [`x-field-${index}`, 'here']);
    // Last of all one that nobody may say: a head that was read in part would let it through.
    const many = { ...Object.fromEntries(fields), 'x-forwarded-for': '192.0.2.66' };
    const waiting = api(pin, many);
    const connected = async () => (await gateway.admin.call('GET', '/metrics')).text();
    await waitFor(async () => (await connected()).includes('lockstep_connections{side="downstream"} 1'), {
      what: 'the request to come',
    });
    await reloaded({ ...base, deadPin: { patience: '20s' }, limits: { headers: 8 } });
    // Another head is read in between, and this one is refused by the new limit.
    expect((await api('', many)).status).toBe(431);
    await v1.restart();
    expect((await waiting).status).toBe(200);
    expect(v1.requests.at(-1)?.headers).toMatchObject({
      'x-field-0': 'here',
      'x-field-49': 'here',
      'x-forwarded-for': '127.0.0.1',
    });
  });

  test('with a log file that cannot be opened changes nothing', async (context) => {
    const { base, gateway, reload } = await start(context);
    const file = join(gateway.stateDir, 'no', 'such', 'folder', 'access.log');
    const answer = await reload({ ...base, accessLog: { file }, limits: { uri: '64' } });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: object[] }>().errors).toMatchObject([{ path: 'log.access' }]);
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(200);
  });

  test('swaps the tokens of the admin API', async (context) => {
    const { base, gateway, reloaded } = await start(context);
    await reloaded({ ...base, tokens: TOKENS });
    expect((await gateway.admin.call('GET', '/v1/status')).status).toBe(401);
    const authorization = `Bearer ${TOKENS[0]!.token}`;
    const config = await gateway.admin.call('GET', '/v1/config', undefined, { authorization });
    expect(config.status).toBe(200);
    expect(config.text()).not.toContain(TOKENS[0]!.token);
    expect(config.text()).not.toContain(PIN_KEY);
  });
});

describe.concurrent('pin keys', () => {
  const keys = (base: GatewaySettings, ...list: string[]) => ({ ...base, cookie: { keys: list } });
  const ofOld = () => `lockstep=${pinOf({ version: 'v2', key: PIN_KEY })}`;
  const ofNew = () => `lockstep=${pinOf({ version: 'v2', key: OTHER_KEY })}`;

  /** v2 has sessions, too. */
  const startPromoted = async (context: TestContext): Promise<Scene> => {
    const scene = await start(context);
    const { admin } = scene.gateway;
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    await admin.promote('v1');
    return scene;
  };

  test('are rotated without a session that moves: added, then first, then alone', async (context) => {
    const { base, reloaded, api, versionOf } = await startPromoted(context);
    expect(await versionOf(ofNew())).toBe('v1');
    await reloaded(keys(base, PIN_KEY, OTHER_KEY));
    expect([await versionOf(ofOld()), await versionOf(ofNew())]).toEqual(['v2', 'v2']);
    expect((await api('')).setCookies[0]).toBeDefined();
    await reloaded(keys(base, OTHER_KEY, PIN_KEY));
    expect([await versionOf(ofOld()), await versionOf(ofNew())]).toEqual(['v2', 'v2']);
    const { warnings } = await reloaded(keys(base, OTHER_KEY));
    expect(warnings).toEqual([]);
    expect([await versionOf(ofOld()), await versionOf(ofNew())]).toEqual(['v1', 'v2']);
  });

  test('that have nothing in common with those before are warned of', async (context) => {
    const { base, reloaded } = await startPromoted(context);
    const { warnings } = await reloaded(keys(base, OTHER_KEY));
    expect(warnings).toEqual([expect.stringMatching(/^cookie\.keys: .* all sessions begin anew$/)]);
  });

  test('and a new cookie name are warned of: nobody is known under it', async (context) => {
    const { base, reloaded, api } = await startPromoted(context);
    const { warnings } = await reloaded({ ...base, cookie: { keys: [PIN_KEY], name: 'shop' } });
    expect(warnings).toEqual([expect.stringMatching(/^cookie\.name: .* all sessions begin anew$/)]);
    expect((await api(ofOld())).setCookies[0]).toMatch(/^shop=1\.v1~/);
  });
});

describe.concurrent('versions', () => {
  test('that are added are staged, and those that were only staged are forgotten', async (context) => {
    const { v1, base, gateway, reloaded, stateOf } = await start(context);
    const v3 = await startUpstream({ version: 'v3' });
    const report = await reloaded({ ...base, versions: { v1: [v1.url], v3: [v3.url] } });
    expect(report.versions).toMatchObject([
      { id: 'v2', from: 'staged', to: null },
      { id: 'v3', from: null, to: 'staged' },
    ]);
    expect(await stateOf('v2')).toBeUndefined();
    await gateway.admin.wait('v3', 'healthy');
    await v3.stop();
  });

  test('with other servers are served by those, at once', async (context) => {
    const { v2, base, gateway, reloaded, api } = await start(context);
    const other = await startUpstream({ version: 'v1', server: 'b' });
    await reloaded({ ...base, versions: { v1: [other.url], v2: [v2.url] } });
    expect((await api('')).json()).toMatchObject({ server: 'b' });
    expect((await gateway.admin.version('v1')).upstreams.map(({ address }) => address)).toEqual([
      other.address,
    ]);
    await other.stop();
  });

  test('that are in use and no longer declared are kept as undeclared until they are retired', async (context) => {
    const { v1, v2, base, gateway, reloaded, versionOf, stateOf } = await start(context);
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    const pin = `lockstep=${pinOf({ version: 'v1' })}`;
    const report = await reloaded({ ...base, versions: { v2: [v2.url] }, active: 'v2' });
    expect(report.notes).toEqual([expect.stringContaining('v1 is no longer declared, but it is draining')]);
    expect(await stateOf('v1')).toMatchObject({ state: 'draining', undeclared: true });
    expect(await versionOf(pin)).toBe('v1');
    const listed = (await gateway.admin.call('GET', '/v1/config')).json<SettingsReport>().settings;
    expect(listed.find(({ key }) => key === 'versions.v1.upstreams')).toMatchObject({
      value: [v1.url],
      from: 'state',
    });
    expect(listed.find(({ key }) => key === 'active')).toMatchObject({ value: 'v2', from: 'state' });
    await gateway.admin.retire('v1', true);
    await reloaded({ ...base, versions: { v2: [v2.url] }, active: 'v2' });
    expect(await stateOf('v1')).toMatchObject({ state: 'retired', upstreams: [] });
    expect((await gateway.admin.call('DELETE', '/v1/versions/v1')).status).toBe(200);
  });

  test('that are active cannot be dropped', async (context) => {
    const { v2, base, gateway, reload, versionOf } = await start(context);
    const answer = await reload({ ...base, versions: { v2: [v2.url] }, active: 'v2', limits: { uri: '64' } });
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({ code: 'would-drop-active' });
    expect(await versionOf('')).toBe('v1');
    expect((await httpRequest(`${gateway.url}/${'x'.repeat(100)}`)).status).toBe(200);
  });

  test('that were put at run time are none of the file, and stay', async (context) => {
    const { base, gateway, reloaded, stateOf } = await start(context);
    const v3 = await startUpstream({ version: 'v3' });
    await gateway.admin.put('v3', [v3.url]);
    await reloaded({ ...base, limits: { uri: '64' } });
    expect(await stateOf('v3')).toMatchObject({ state: 'staged', undeclared: false });
    await v3.stop();
  });

  test('cannot be served by the listener that stays until a restart', async (context) => {
    const { v1, base, gateway, reload } = await start(context);
    const answer = await reload({
      ...base,
      listen: '127.0.0.1:1',
      versions: { v1: [v1.url], v2: [gateway.url] },
    });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: object[] }>().errors).toMatchObject([{ path: 'versions.v2.upstreams' }]);
  });
});
