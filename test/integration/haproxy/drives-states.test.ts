// HAProxy's servers follow the versions: the real HAProxy, a real gateway, and an operator who deploys.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../kit/gateway-config.ts';
import { httpRequest } from '../../kit/http-request.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Scene, startScene, statesAre } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('servers of HAProxy', () => {
  let scene: Scene;

  beforeEach(async () => {
    scene = await startScene();
  });

  afterEach(() => scene.stop());

  it('go through a whole deploy, back, and away', async () => {
    const haproxy = await scene.startHaproxy();
    const { admin } = await scene.startGateway({ sockets: [haproxy.socket] });
    // Staged in a backend that it shares with what takes traffic.
    await statesAre(haproxy, 'ready ready drain drain');
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    // Acknowledged before the first pin is minted: there is nothing to wait for.
    expect(await haproxy.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
    await admin.waitForDrained('v1');
    await statesAre(haproxy, 'drain drain ready ready');
    await admin.rollback('keep');
    expect(await haproxy.states()).toMatchObject({ web01: 'ready', web02: 'ready' });
    await admin.waitForDrained('v2');
    await statesAre(haproxy, 'ready ready drain drain');
    await admin.retire('v2');
    await statesAre(haproxy, 'ready ready maint maint');
    const { address } = scene.servers[0]!;
    await admin.setEnabled('v1', address, false);
    await statesAre(haproxy, 'maint ready maint maint');
    await admin.setEnabled('v1', address, true);
    await statesAre(haproxy, 'ready ready maint maint');
  });

  it('of a retired version stay away when Lockstep and HAProxy begin anew', async () => {
    const haproxy = await scene.startHaproxy();
    const state = await temporaryFolder('kept');
    const gateway = await scene.startGateway({ sockets: [haproxy.socket] }, { stateDir: state.path });
    await statesAre(haproxy, 'ready ready drain drain');
    await gateway.admin.retire('v2');
    await statesAre(haproxy, 'ready ready maint maint');
    await gateway.stop();
    await haproxy.kill();
    await haproxy.start();
    await statesAre(haproxy, 'ready ready ready ready');
    const again = await scene.startGateway(
      { sockets: [haproxy.socket] },
      { versions: { v1: scene.servers.slice(0, 2).map(({ url }) => url) }, stateDir: state.path },
    );
    await statesAre(haproxy, 'ready ready maint maint');
    await again.stop();
    await state.remove();
  });

  it('behind which a pool is are reached while it is staged, and again when it is rolled back to', async () => {
    const [v1, v2] = [scene.servers.slice(0, 2), scene.servers.slice(2)];
    const named = (servers: typeof v1, first: number) =>
      servers.map(({ address }, at) => ({ name: `web0${first + at}`, address }));
    const haproxy = await scene.startHaproxy({
      servers: named(v1, 1),
      pools: [{ backend: 'be_v2', servers: named(v2, 3) }],
    });
    const { admin } = await scene.startGateway(
      {
        sockets: [haproxy.socket],
        backend: ['be_app', 'be_v2'],
        servers: { v1: ['web01', 'web02'], v2: ['web03', 'web04'] },
      },
      {
        versions: { v1: [haproxy.urlOf('be_app')], v2: [haproxy.urlOf('be_v2')] },
        health: { path: '/healthz' },
      },
    );
    await statesAre(haproxy, 'ready ready ready ready');
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    await admin.waitForDrained('v1');
    await statesAre(haproxy, 'drain drain ready ready');
    // The premise: with every server of its backend in drain, HAProxy answers health checks with 503 as well.
    expect((await httpRequest(haproxy.url)).status).toBe(503);
    await waitFor(async () => (await admin.version('v1')).upstreams[0]!.health === 'down', {
      what: 'v1 to be down',
    });
    await admin.rollback('keep');
    expect((await admin.status()).active).toBe('v1');
    expect((await httpRequest(haproxy.url)).status).toBe(200);
    await admin.waitForDrained('v2');
    await statesAre(haproxy, 'ready ready drain drain');
  });

  it('are told of in the status, with what HAProxy has of them', async () => {
    const haproxy = await scene.startHaproxy();
    const { admin } = await scene.startGateway({ sockets: [haproxy.tcpSocket] });
    await statesAre(haproxy, 'ready ready drain drain');
    const held = httpRequest(`${haproxy.url}/slow?ms=2000`);
    const status = await waitFor(
      async () => {
        const { haproxy: now } = await admin.status();
        return now!.processes[0]!.servers.some(({ sessions }) => sessions > 0) ? now : null;
      },
      { what: 'a session of HAProxy in the status' },
    );
    expect(status.processes[0]).toMatchObject({
      socket: haproxy.tcpSocket,
      reachable: true,
      error: null,
      pid: await haproxy.pid(),
      backends: [{ name: 'be_app', role: 'driven', rival: null }],
    });
    expect(
      status.processes[0]!.servers.map(({ name, version, wanted, up }) => [name, version, wanted, up]),
    ).toEqual([
      ['web01', 'v1', 'ready', true],
      ['web02', 'v1', 'ready', true],
      ['web03', 'v2', 'drain', true],
      ['web04', 'v2', 'drain', true],
    ]);
    await held;
    expect((await admin.call('GET', '/metrics')).text()).toContain(
      `lockstep_haproxy_server_as_wanted{socket="${haproxy.tcpSocket}",backend="be_app",server="web03",version="v2"} 1`,
    );
  });

  it('that all drain are reached by who has a persistence cookie, and by nobody else: so a draining version is ready', async () => {
    const haproxy = await scene.startHaproxy({
      lines: ['balance roundrobin', 'cookie SRV insert indirect nocache'],
      servers: scene.servers.map(({ address }, at) => ({
        name: `web0${at + 1}`,
        address,
        options: `check inter 200ms cookie web0${at + 1}`,
      })),
    });
    for (const name of ['web01', 'web02', 'web03', 'web04']) {
      await haproxy.ask(`set server be_app/${name} state drain`);
    }
    expect((await httpRequest(haproxy.url)).status).toBe(503);
    expect((await httpRequest(haproxy.url, { headers: { cookie: 'SRV=web03' } })).status).toBe(200);
  });

  it('that map to no version are left alone', async () => {
    const haproxy = await scene.startHaproxy();
    await haproxy.ask('set server be_app/web04 state maint');
    const urls = scene.servers.map(({ url }) => url);
    const { admin } = await scene.startGateway(
      { sockets: [haproxy.socket] },
      { versions: { v1: urls.slice(0, 2), v2: [urls[2]!] }, cookie: { idle: '30m' } },
    );
    await statesAre(haproxy, 'ready ready drain maint');
    await admin.promote('v2', { force: true });
    await statesAre(haproxy, 'ready ready ready maint');
    const { haproxy: now } = await admin.status();
    expect(now!.processes[0]!.servers[3]).toMatchObject({
      name: 'web04',
      version: null,
      wanted: null,
      state: 'maint',
    });
  });

  it('weigh what their version gets of new sessions, where that is asked for', async () => {
    const haproxy = await scene.startHaproxy();
    const { admin } = await scene.startGateway(
      { sockets: [haproxy.socket], weights: 'share' },
      { cookie: { idle: '4s' } },
    );
    await statesAre(haproxy, 'ready ready drain drain');
    await admin.wait('v2', 'healthy');
    await admin.promote('v2', { weight: 20 });
    await waitFor(async () => Object.values(await haproxy.weights()).join(' ') === '256 256 64 64', {
      what: 'one in five to go to v2',
    });
    await admin.promote('v2');
    await waitFor(async () => Object.values(await haproxy.weights()).join(' ') === '0 0 256 256', {
      what: 'v1 to get nothing new',
    });
    await admin.waitForDrained('v1');
    // Alone in its backend, it weighs what HAProxy's configuration says.
    await waitFor(async () => Object.values(await haproxy.weights()).join(' ') === '1 1 1 1', {
      what: 'weights to be those of the configuration',
    });
  });
});
