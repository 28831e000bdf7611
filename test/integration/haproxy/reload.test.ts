// The section haproxy is one that a reload changes: begun, changed and ended while requests are served.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startGateway as startMain } from '../../../src/main.ts';
import { adminClient } from '../../kit/admin-client.ts';
import { freePorts } from '../../kit/free-port.ts';
import { temporaryFolder } from '../../kit/gateway-config.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Scene, startScene, statesAre } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('a reload', () => {
  let scene: Scene;

  beforeEach(async () => {
    scene = await startScene();
  });

  afterEach(() => scene.stop());

  it('begins to drive HAProxy, drives another backend, answers agents, and leaves it alone again', async () => {
    const haproxy = await scene.startHaproxy({
      pools: [{ backend: 'be_other', servers: [{ name: 'other01', address: scene.servers[2]!.address }] }],
    });
    const [agentPort] = await freePorts(1);
    const folder = await temporaryFolder('reload');
    const file = join(folder.path, 'lockstep.yaml');
    const urls = scene.servers.map(({ url }) => url);
    const write = (section: object | null) =>
      writeFile(
        file,
        stringify({
          listen: '127.0.0.1:0',
          admin: { listen: '127.0.0.1:0' },
          state: folder.path,
          threads: 1,
          assets: null,
          log: { access: 'off', level: 'error' },
          versions: { v1: { upstreams: urls.slice(0, 2) }, v2: { upstreams: urls.slice(2) } },
          active: 'v1',
          haproxy: section,
        }),
      );
    await write(null);
    const gateway = await startMain({ configFile: file });
    const admin = adminClient(gateway.adminUrl);
    const reload = async (section: object | null) => {
      await write(section);
      expect((await gateway.reload('test')).ok).toBe(true);
    };
    try {
      expect((await admin.status()).haproxy).toBeNull();
      const common = { sockets: [haproxy.socket], interval: '200ms' };
      await reload({ ...common, backend: 'be_app' });
      await statesAre(haproxy, 'ready ready drain drain ready');
      await reload({ ...common, backend: ['be_app', 'be_other'], agent: `127.0.0.1:${agentPort}` });
      await waitFor(
        async () => {
          const { processes, agent } = (await admin.status()).haproxy!;
          const isDriven = processes[0]!.backends.every(({ role }) => role === 'driven');
          return isDriven && agent?.listen === `127.0.0.1:${agentPort}`;
        },
        { what: 'both backends to be driven, and the agent to listen' },
      );
      await reload(null);
      await waitFor(async () => (await admin.status()).haproxy === null, {
        what: 'HAProxy to be left alone',
      });
      await haproxy.ask('set server be_app/web01 state maint');
      await reload({ ...common, backend: 'be_app', onDrift: 'alarm' });
      // The mark was taken away: nobody has to be waited for. What this process was set to is remembered: it is drift.
      await waitFor(
        async () =>
          (await admin.status()).haproxy!.processes[0]!.servers.find(({ name }) => name === 'web01')?.drift,
        { what: 'the drift to be seen' },
      );
    } finally {
      await gateway.stop(0);
      await folder.remove();
    }
  });
});
