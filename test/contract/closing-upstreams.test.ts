// The control plane has connections to upstreams closed: after a retire, a removal, a disable, and when health comes back.

import { afterEach, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { rawRequest } from '../kit/raw-request.ts';
import { startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngineAndThread } from './engines.ts';
import { startScene } from './scene.ts';

onEveryEngineAndThread((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  test('connections to an upstream close when told: idle ones at once, busy ones after their answer', async () => {
    const upstream = await startRawUpstream((index) => ({
      onBytes: ({ socket }) => {
        const answer = (): boolean => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        if (index === 0) answer();
        else release.push(answer);
      },
    }));
    cleanUp.push(() => upstream.stop());
    const release: (() => boolean)[] = [];
    const scene = await startScene(engine, { versions: { v1: [upstream.address] } });
    cleanUp.push(() => scene.stop());
    const slow = await rawClient(scene);
    cleanUp.push(() => slow.close());
    await rawRequest(scene, []);
    await scene.settled();
    expect(scene.engine.stats().idleUpstreamConnections).toBe(1);
    scene.engine.closeUpstreams('v1', upstream.address);
    await waitFor(() => upstream.openConnections() === 0, { what: 'the idle connection to be closed' });
    await slow.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => release.length === 1, { what: 'the slow request to arrive' });
    scene.engine.closeUpstreams('v1', null);
    scene.engine.closeUpstreams('v2', null);
    release[0]!();
    expect((await slow.answer()).body.toString()).toBe('ok');
    await waitFor(() => upstream.openConnections() === 0, { what: 'the busy connection to be closed' });
    await scene.settled();
    expect(scene.engine.stats().upstreamConnections).toBe(0);
  });
});
