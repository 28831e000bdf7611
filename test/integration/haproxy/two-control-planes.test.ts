// Two Lockstep control planes are pointed at one HAProxy by mistake: one drives, the other one finds out, does not, and says
// so. When the first is gone, by its own will or not, the second one takes over.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { passOn, startBrokenRuntimeSocket } from '../../kit/broken-runtime-socket.ts';
import type { TestGateway } from '../../kit/gateway.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { eventOf, eventsOf, type Scene, startScene, statesAre } from './scene.ts';

const roleOf = async ({ admin }: TestGateway) =>
  (await admin.status()).haproxy!.processes[0]!.backends[0]!.role;

describe.skipIf(!needsTool('haproxy'))('of two control planes at one HAProxy', () => {
  let scene: Scene;

  beforeEach(async () => {
    scene = await startScene();
  });

  afterEach(() => scene.stop());

  it('the second does not drive and says so, survives a restart of HAProxy so, and takes over when the first stops', async () => {
    const haproxy = await scene.startHaproxy();
    const first = await scene.startGateway({ sockets: [haproxy.socket] });
    await statesAre(haproxy, 'ready ready drain drain');
    const second = await scene.startGateway({ sockets: [haproxy.tcpSocket] }, { active: 'v2' });
    expect((await eventOf(second, 'haproxy-standby')).detail).toMatchObject({ backend: 'be_app' });
    expect(await roleOf(second)).toBe('standby');
    expect((await second.admin.status()).haproxy!.processes[0]!.backends[0]!.rival).toMatch(/^[0-9a-f]{16}$/);
    expect((await second.admin.call('GET', '/metrics')).text()).toMatch(/lockstep_haproxy_driving\{.*\} 0/);
    // It does not wait for what it may not set.
    await second.admin.promote('v1', { force: true });
    await haproxy.kill();
    await haproxy.start();
    await statesAre(haproxy, 'ready ready drain drain');
    expect(await roleOf(first)).toBe('driven');
    expect(await roleOf(second)).toBe('standby');
    expect(await eventsOf(first, 'haproxy-drift')).toEqual([]);
    await first.stop();
    await waitFor(async () => (await roleOf(second)) === 'driven', {
      what: 'the second to take over',
      timeoutMs: 20_000,
    });
  });

  it('that start at the same moment, one drives', async () => {
    const haproxy = await scene.startHaproxy();
    const both = await Promise.all([
      scene.startGateway({ sockets: [haproxy.socket] }),
      scene.startGateway({ sockets: [haproxy.socket] }),
    ]);
    await waitFor(async () => (await Promise.all(both.map(roleOf))).sort().join(' ') === 'driven standby', {
      what: 'one to drive',
      timeoutMs: 20_000,
    });
    for (const gateway of both) expect(await eventsOf(gateway, 'haproxy-contested')).toEqual([]);
  });

  it('that keeps no marks, as before 2.5, neither fights on: both stop setting what the other sets back', async () => {
    const haproxy = await scene.startHaproxy();
    const pass = passOn(haproxy.socket);
    const old = await startBrokenRuntimeSocket((line, socket) =>
      pass(line.replaceAll(/\b(experimental-mode on|[gs]et var) ?/g, 'unknown-to-it '), socket),
    );
    try {
      const settings = { sockets: [old.socket], interval: '100ms' };
      const both = await Promise.all([
        scene.startGateway(settings),
        scene.startGateway(settings, { active: 'v2' }),
      ]);
      await waitFor(async () => (await Promise.all(both.map(roleOf))).includes('contested'), {
        what: 'one to give way',
        timeoutMs: 20_000,
      });
      await waitFor(
        async () => {
          const before = JSON.stringify(await haproxy.states());
          await sleep(500);
          return JSON.stringify(await haproxy.states()) === before;
        },
        { what: 'the states to stay', timeoutMs: 20_000 },
      );
    } finally {
      await old.stop();
    }
  });

  it('with a backend each, both drive', async () => {
    const haproxy = await scene.startHaproxy({
      pools: [{ backend: 'be_other', servers: [{ name: 'other01', address: scene.servers[3]!.address }] }],
    });
    const both = await Promise.all(
      ['be_app', 'be_other'].map((backend) => scene.startGateway({ sockets: [haproxy.socket], backend })),
    );
    for (const gateway of both) {
      await waitFor(async () => (await roleOf(gateway)) === 'driven', { what: 'its backend to be driven' });
    }
  });
});
