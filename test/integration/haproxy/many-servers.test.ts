// A version of more servers than one line of commands holds, on the real HAProxy: still one step, read back whole.

import { afterEach, describe, expect, it } from 'vitest';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Scene, startScene } from './scene.ts';

const COUNT = 600;

describe.skipIf(!needsTool('haproxy'))('a version of hundreds of servers', () => {
  let scene: Scene;

  afterEach(() => scene.stop());

  it('is set whole', async () => {
    scene = await startScene();
    const names = Array.from({ length: COUNT }, (_, at) => `a-server-with-quite-a-long-name-${at}`);
    const { address } = scene.servers[0]!;
    const haproxy = await scene.startHaproxy({
      servers: names.map((name) => ({ name, address, options: '' })),
    });
    const gateway = await scene.startGateway({ sockets: [haproxy.socket], servers: { v2: names } });
    const { admin } = gateway;
    await waitFor(async () => (await admin.status()).haproxy!.processes[0]!.backends[0]!.role === 'driven', {
      what: 'it to be driven',
    });
    const statesAre = (want: string) =>
      waitFor(async () => Object.values(await haproxy.states()).every((state) => state === want), {
        what: `all of them to be ${want}`,
      });
    await admin.retire('v2');
    await statesAre('maint');
    expect((await admin.status()).haproxy).toMatchObject({ failedStep: null });
    expect((await admin.call('GET', '/metrics')).text()).toContain(
      'lockstep_haproxy_steps_total{outcome="taken"} 1',
    );
  });
});
