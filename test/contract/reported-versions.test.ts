// Upstreams that say which build they run: told once when it is another one than their version's, whatever the engine.

import { afterEach, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { startRawUpstream } from '../kit/raw-upstream.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

/** Of the first upstream of the first version. */
const SLOT = 10;

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  /** One after the other, on one connection: the engine recognises what comes again. */
  const ask = async (scene: Scene, times: number, pin = 'Accept: */*') => {
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    for (let n = 0; n < times; n++) {
      await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${pin}\r\n\r\n`);
      expect((await client.answer()).status).toBe(200);
    }
    await scene.settled();
  };
  const sceneThatSays = async (lines: string, settings: Partial<SceneSettings> = {}) => {
    const said = { lines };
    const upstream = await startRawUpstream(() => {
      let answered = 0;
      return {
        onBytes: ({ socket, received }) => {
          for (
            const asked = received().toString('latin1').split('\r\n\r\n').length - 1;
            answered < asked;
            answered++
          ) {
            socket.write(`HTTP/1.1 200 OK\r\n${said.lines}Content-Length: 2\r\n\r\nok`, 'latin1');
          }
        },
      };
    });
    cleanUp.push(() => upstream.stop());
    const versions = { v1: [upstream.address], v2: [upstream.address] };
    const scene = await startScene(engine, { versions, reportHeader: 'x-app-version', ...settings });
    cleanUp.push(() => scene.stop());
    return { scene, said };
  };

  test.each([
    { name: 'nothing', lines: '' },
    { name: 'its version', lines: 'X-App-Version: v1\r\n' },
    { name: 'something in another field', lines: 'X-App-Versions: v2\r\nX-App: v2\r\n' },
  ])('is not told when it says $name', async ({ lines }) => {
    const { scene } = await sceneThatSays(lines);
    await ask(scene, 3);
    expect([scene.met, scene.gauges.wrongReports(SLOT)]).toEqual([[], 0]);
  });

  test.each([
    { name: 'another version', lines: 'X-App-Version: v2\r\n', reported: 'v2' },
    { name: 'it in other letters', lines: 'x-app-version: V1\r\n', reported: 'V1' },
    { name: 'two', lines: 'x-app-version: v1\r\nX-APP-VERSION: v2\r\n', reported: 'v1, v2' },
    { name: 'a very long one', lines: `x-app-version: ${'x'.repeat(500)}\r\n`, reported: 'x'.repeat(128) },
  ])('is told once, and counted each time, when it says $name', async ({ lines, reported }) => {
    const { scene } = await sceneThatSays(lines);
    await ask(scene, 5);
    expect(scene.met).toEqual([{ slot: SLOT, fault: 'wrong-version', reported }]);
    expect(scene.gauges.wrongReports(SLOT)).toBe(5);
  });

  test('is right by what the operator said that it says', async () => {
    const { scene, said } = await sceneThatSays('x-app-version: 3f2a9c1\r\n');
    await scene.activate('v2', [], { reports: '3f2a9c1' });
    await ask(scene, 2, scene.pin('v1'));
    expect(scene.met).toEqual([]);
    said.lines = 'x-app-version: v1\r\n';
    await ask(scene, 2, scene.pin('v1'));
    expect(scene.met).toEqual([{ slot: SLOT, fault: 'wrong-version', reported: 'v1' }]);
  });

  test('is not read where no header is configured', async () => {
    const { scene } = await sceneThatSays('x-app-version: v2\r\n', { reportHeader: 'x-other' });
    await ask(scene, 2);
    expect(scene.met).toEqual([]);
  });
});
