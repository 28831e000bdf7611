// What somebody else does to HAProxy's servers is seen, told, and set back or left; a HAProxy that begins anew is no drift.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { eventOf, eventsOf, type Scene, startScene, statesAre } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('HAProxy, changed by somebody else,', () => {
  let scene: Scene;

  beforeEach(async () => {
    scene = await startScene();
  });

  afterEach(() => scene.stop());

  it('is repaired, and that is told', async () => {
    const haproxy = await scene.startHaproxy();
    const gateway = await scene.startGateway({ sockets: [haproxy.socket] });
    await statesAre(haproxy, 'ready ready drain drain');
    await haproxy.ask('set server be_app/web01 state maint');
    await statesAre(haproxy, 'ready ready drain drain');
    const { version, detail } = await eventOf(gateway, 'haproxy-drift');
    expect(version).toBe('v1');
    expect(detail).toEqual({
      socket: haproxy.socket,
      server: 'be_app/web01',
      found: 'maint',
      set: 'ready',
      onDrift: 'repair',
    });
    expect((await eventOf(gateway, 'haproxy-drift-over')).detail).toMatchObject({ server: 'be_app/web01' });
    expect((await gateway.admin.call('GET', '/metrics')).text()).toContain('lockstep_haproxy_drifts_total 1');
  });

  it('is left alone under onDrift: alarm, and shown, until its version wants something else', async () => {
    const haproxy = await scene.startHaproxy();
    const gateway = await scene.startGateway(
      { sockets: [haproxy.socket], onDrift: 'alarm' },
      // v1 is not drained before the test has looked.
      { cookie: { idle: '30m' } },
    );
    const { admin } = gateway;
    await statesAre(haproxy, 'ready ready drain drain');
    await haproxy.ask('set server be_app/web01 state maint;set server be_app/web03 state maint');
    const drifted = () =>
      waitFor(
        async () => {
          const servers = (await admin.status()).haproxy!.processes[0]!.servers;
          const found = servers.filter(({ drift }) => drift).map(({ name }) => name);
          return found.length > 0 ? found : null;
        },
        { what: 'drift in the status' },
      );
    await eventOf(gateway, 'haproxy-drift');
    expect(await drifted()).toEqual(['web01', 'web03']);
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    // v2 is to be ready now, whoever changed it before; what v1 wants is as it was.
    await statesAre(haproxy, 'maint ready ready ready');
    expect(await drifted()).toEqual(['web01']);
    await haproxy.ask('set server be_app/web01 state ready');
    expect((await eventOf(gateway, 'haproxy-drift-over')).detail).toBeDefined();
  });

  it('again and again, is left to them with an alarm, and not fought over', async () => {
    const haproxy = await scene.startHaproxy();
    const gateway = await scene.startGateway({ sockets: [haproxy.socket], interval: '100ms' });
    await statesAre(haproxy, 'ready ready drain drain');
    // A cron job of somebody who does not know of Lockstep.
    const other = setInterval(
      () => void haproxy.ask('set server be_app/web01 state maint').catch(() => {}),
      50,
    );
    try {
      expect((await eventOf(gateway, 'haproxy-contested')).detail).toEqual({
        socket: haproxy.socket,
        backend: 'be_app',
        server: 'be_app/web01',
      });
    } finally {
      clearInterval(other);
    }
    const { haproxy: now } = await gateway.admin.status();
    expect(now!.processes[0]!.backends).toEqual([
      { name: 'be_app', role: 'contested', rival: 'be_app/web01' },
    ]);
    expect((await eventsOf(gateway, 'haproxy-drift')).length).toBe(3);
    expect(await haproxy.states()).toMatchObject({ web01: 'maint' });
    // Requests and changes are ours all the same.
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2', { force: true });
  });

  it('or not: a restart and a reload are set anew at once, and are no drift', async () => {
    const haproxy = await scene.startHaproxy({ isMaster: true });
    const gateway = await scene.startGateway({ sockets: [haproxy.socket] });
    await statesAre(haproxy, 'ready ready drain drain');
    await haproxy.reload();
    await statesAre(haproxy, 'ready ready drain drain');
    expect((await eventOf(gateway, 'haproxy-restarted')).detail).toMatchObject({ socket: haproxy.socket });
    await haproxy.reload();
    await statesAre(haproxy, 'ready ready drain drain');
    expect(await eventsOf(gateway, 'haproxy-drift')).toEqual([]);
    const { haproxy: now } = await gateway.admin.status();
    expect(now!.processes[0]).toMatchObject({ reachable: true, pid: await haproxy.pid() });
  });
});
