// Several HAProxy processes are kept alike: a step is of all of them or of none, and one that is away holds up nobody.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type BrokenRuntimeSocket,
  passOn,
  startBrokenRuntimeSocket,
} from '../../kit/broken-runtime-socket.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { eventOf, type Scene, startScene, statesAre } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('several HAProxy processes', () => {
  let scene: Scene;
  let proxy: BrokenRuntimeSocket | null = null;

  beforeEach(async () => {
    scene = await startScene();
  });

  afterEach(async () => {
    await scene.stop();
    await proxy?.stop();
    proxy = null;
  });

  it('are kept alike', async () => {
    const [one, two] = [await scene.startHaproxy(), await scene.startHaproxy()];
    const { admin } = await scene.startGateway({ sockets: [one.socket, two.tcpSocket] });
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    for (const haproxy of [one, two]) {
      expect(await haproxy.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
    }
  });

  it('take no step of which one refuses a part: the others are set back, the promote is refused and says why', async () => {
    const [one, two] = [await scene.startHaproxy(), await scene.startHaproxy()];
    proxy = await startBrokenRuntimeSocket(passOn(two.socket));
    const gateway = await scene.startGateway({ sockets: [one.socket, proxy.socket] });
    const { admin } = gateway;
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    await admin.wait('v2', 'healthy');
    const pass = passOn(two.socket);
    // web03 is taken, web04 is refused: half a step.
    proxy.handle((line, socket) => pass(line.replace('web04 state ready', 'web04 state steady'), socket));
    const refused = await admin.call('POST', '/v1/versions/v2/promote', {});
    expect(refused.status).toBe(409);
    expect(refused.json<{ code: string; detail: string }>()).toMatchObject({
      code: 'haproxy-not-ready',
      detail: expect.stringContaining(`${proxy.socket} refuses ready for be_app/web04`),
    });
    expect((await admin.status()).active).toBe('v1');
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    expect((await eventOf(gateway, 'haproxy-step-failed')).detail).toMatchObject({
      socket: proxy.socket,
      notUndone: [],
    });
    expect((await admin.status()).haproxy!.failedStep).toMatchObject({ version: 'v2', socket: proxy.socket });
    proxy.handle(pass);
    await admin.promote('v2');
    for (const haproxy of [one, two]) {
      expect(await haproxy.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
    }
    expect((await admin.status()).haproxy!.failedStep).toBeNull();
  });

  it('take no step of which one says nothing against it, but does not do it', async () => {
    const [one, two] = [await scene.startHaproxy(), await scene.startHaproxy()];
    proxy = await startBrokenRuntimeSocket(passOn(two.socket));
    const { admin } = await scene.startGateway({ sockets: [one.socket, proxy.socket] });
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    await admin.wait('v2', 'healthy');
    const pass = passOn(two.socket);
    proxy.handle((line, socket) => pass(line.replace('web04 state ready', 'web04 state drain'), socket));
    const refused = await admin.call('POST', '/v1/versions/v2/promote', {});
    expect(refused.json<{ detail: string }>().detail).toContain(
      'took ready for be_app/web04, and reads drain',
    );
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    // Who knows better says so.
    await admin.promote('v2', { force: true });
    expect((await admin.status()).active).toBe('v2');
  });

  it('of which one allows too little are told of with that', async () => {
    const one = await scene.startHaproxy({ level: 'operator' });
    const { admin } = await scene.startGateway({ sockets: [one.socket] });
    const failed = await waitFor(async () => (await admin.status()).haproxy!.failedStep, {
      what: 'the step to fail',
    });
    expect(failed).toMatchObject({
      version: 'v2',
      socket: one.socket,
      why: expect.stringMatching(/refuses drain for be_app\/web03: ".*[Pp]ermission denied.*"/),
    });
    // Its servers are ready as it is: there is nothing to be allowed.
    await admin.promote('v2');
    await waitFor(async () => (await admin.status()).haproxy!.failedStep === null, {
      what: 'nothing to be left of the step that failed',
    });
  });

  it('are not held up by one that is away, which is shown, and set when it is back', async () => {
    const [one, two] = [await scene.startHaproxy(), await scene.startHaproxy()];
    const gateway = await scene.startGateway({ sockets: [one.socket, two.socket] });
    const { admin } = gateway;
    await Promise.all([one, two].map((haproxy) => statesAre(haproxy, 'ready ready drain drain')));
    await two.kill();
    await eventOf(gateway, 'haproxy-unreachable');
    const away = (await admin.status()).haproxy!.processes[1]!;
    expect(away).toMatchObject({
      socket: two.socket,
      reachable: false,
      error: expect.stringContaining('ECONNREFUSED'),
    });
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    expect(await one.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
    await admin.waitForDrained('v1');
    await statesAre(one, 'drain drain ready ready');
    await two.start();
    await statesAre(two, 'drain drain ready ready');
    await eventOf(gateway, 'haproxy-reachable');
    await waitFor(async () => (await admin.status()).haproxy!.processes.every(({ reachable }) => reachable), {
      what: 'both to be reachable',
    });
  });
});
