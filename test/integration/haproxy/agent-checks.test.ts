// HAProxy asks for each server what it is to be (agent-check), and its servers follow the versions: without a runtime socket,
// and beside one.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DrivenHaproxy } from '../../kit/driven-haproxy.ts';
import { freePorts } from '../../kit/free-port.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { NAMES, type Scene, startScene } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('HAProxy, by its agent checks,', () => {
  let scene: Scene;
  let port: number;

  beforeEach(async () => {
    scene = await startScene();
    [port] = (await freePorts(1)) as [number];
  });

  afterEach(() => scene.stop());

  const startAsking = (asks: (name: string, address: string) => string) =>
    scene.startHaproxy({
      servers: scene.servers.map(({ address }, at) => {
        const question = asks(NAMES[at]!, address);
        const agent = `agent-check agent-addr 127.0.0.1 agent-port ${port} agent-inter 100ms agent-send "${question}\\n"`;
        return { name: NAMES[at]!, address, options: `check inter 200ms weight 100 ${agent}` };
      }),
    });
  const statusesAre = (haproxy: DrivenHaproxy, want: string) =>
    waitFor(
      async () =>
        Object.values(await haproxy.statuses())
          .map((each) => each.split(' ')[0])
          .join(' ') === want,
      {
        what: `the servers to be ${want}`,
        timeoutMs: 20_000,
      },
    );
  const SERVERS = { v1: ['web01', 'web02'], v2: ['web03', 'web04'] };

  it('follows a whole deploy, where no socket is configured', async () => {
    const haproxy = await startAsking((name) => name);
    const { admin } = await scene.startGateway({ sockets: [], agent: `127.0.0.1:${port}`, servers: SERVERS });
    // One backend is configured, so that they share it.
    await statusesAre(haproxy, 'UP UP DRAIN DRAIN');
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    await waitFor(
      async () => {
        const { web03, web04 } = await haproxy.statuses();
        return web03 === 'UP' && web04 === 'UP';
      },
      { what: 'v2 to be up' },
    );
    await admin.waitForDrained('v1');
    await statusesAre(haproxy, 'DRAIN DRAIN UP UP');
    await admin.retire('v1');
    await statusesAre(haproxy, 'MAINT MAINT UP UP');
    expect(Object.values(await haproxy.weights())).toEqual([100, 100, 100, 100]);
  });

  it('is told weights, where versions share its backend and that is asked for', async () => {
    const haproxy = await startAsking((name) => name);
    const { admin } = await scene.startGateway({
      sockets: [],
      agent: `127.0.0.1:${port}`,
      servers: SERVERS,
      weights: 'share',
    });
    await admin.wait('v2', 'healthy');
    await admin.promote('v2', { weight: 20 });
    const weightsAre = (want: string) =>
      waitFor(async () => Object.values(await haproxy.weights()).join(' ') === want, {
        what: `weights to be ${want}`,
      });
    await weightsAre('100 100 25 25');
    await admin.promote('v2');
    await admin.waitForDrained('v1');
    await weightsAre('100 100 100 100');
  });

  it('brings a server back from maint, and gives it its weight again, whoever took them', async () => {
    const haproxy = await startAsking((_, address) => address);
    const { admin } = await scene.startGateway({ sockets: [], backend: null, agent: `127.0.0.1:${port}` });
    const { address } = scene.servers[0]!;
    await admin.setEnabled('v1', address, false);
    await waitFor(async () => (await haproxy.statuses())['web01'] === 'MAINT', { what: 'web01 to be away' });
    await haproxy.ask('set server be_app/web02 state maint;set server be_app/web02 weight 50%');
    await admin.setEnabled('v1', address, true);
    await waitFor(
      async () => {
        const { web01, web02 } = await haproxy.statuses();
        return web01 === 'UP' && web02 === 'UP' && (await haproxy.weights())['web02'] === 100;
      },
      { what: 'both to be back' },
    );
  });

  it('leaves servers that are nobody’s as they are', async () => {
    const haproxy = await startAsking((name) => (name === 'web04' ? 'elsewhere99' : `be_app/${name}`));
    await haproxy.ask('set server be_app/web04 state maint');
    const { admin } = await scene.startGateway({ sockets: [], agent: `127.0.0.1:${port}`, servers: SERVERS });
    await waitFor(async () => (await admin.status()).haproxy!.agent!.unknown > 3, {
      what: 'questions about it',
    });
    expect((await haproxy.statuses())['web04']).toBe('MAINT');
    expect((await haproxy.statuses())['web01']).toBe('UP');
  });

  it('and through its socket at once, agrees with itself', async () => {
    const haproxy = await startAsking((name) => `be_app/${name}`);
    const gateway = await scene.startGateway({ sockets: [haproxy.socket], agent: `127.0.0.1:${port}` });
    await statusesAre(haproxy, 'UP UP DRAIN DRAIN');
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    await gateway.admin.waitForDrained('v1');
    await statusesAre(haproxy, 'DRAIN DRAIN UP UP');
    expect((await gateway.admin.status()).haproxy!.processes[0]!.servers.some(({ drift }) => drift)).toBe(
      false,
    );
    expect((await gateway.admin.call('GET', '/metrics')).text()).toContain('lockstep_haproxy_drifts_total 0');
  });
});
