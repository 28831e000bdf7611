// Who has a signed preview gets the version that it opens, staged or not, and nobody's pin or session has to do with it.
// On every engine.

import { afterEach, describe, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

const DOCUMENT = ['Sec-Fetch-Dest: document', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Site: none'];

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  /** v2 is active, v3 is staged. */
  const staged = async (): Promise<{ scene: Scene; v3: Upstream }> => {
    const [v2, v3] = [await startUpstream({ version: 'v2' }), await startUpstream({ version: 'v3' })];
    cleanUp.push(
      () => v2.stop(),
      () => v3.stop(),
    );
    const versions = { v2: [v2.address], v3: [v3.address] };
    const scene = await startScene(engine, { versions, deadPin: { patienceMs: 100 } });
    cleanUp.push(() => scene.stop());
    await scene.activate('v2', [], { state: 'staged', takesPinned: false });
    return { scene, v3 };
  };
  const versionIn = (answer: Awaited<ReturnType<typeof rawRequest>>) =>
    onlyValue(answer, 'x-lockstep-version');

  test('a page of the version, shown as a preview, kept by nobody, and without a pin', async () => {
    const { scene, v3 } = await staged();
    const cookie = `Cookie: a=b; lockstep-preview=${scene.preview('v3')}`;
    const page = await rawRequest(scene, [...DOCUMENT, cookie, 'If-None-Match: "x"']);
    expect([page.status, versionIn(page)]).toEqual([200, 'v3']);
    expect(onlyValue(page, 'x-lockstep-preview')).toMatch(/^v3; until=\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(onlyValue(page, 'cache-control')).toBe('private, no-store');
    expect(onlyValue(page, 'server-timing')).toMatch(
      /^lockstep;desc="v3", lockstep-preview;desc="v3; until=/,
    );
    expect(valuesOf(page, 'set-cookie')).toEqual([]);
    await scene.settled();
    expect(scene.records.at(-1)).toMatchObject({ reason: 'preview', version: 'v3', session: '' });
    const asked = v3.requests.at(-1)!.headers;
    expect([asked.cookie, asked['if-none-match'], asked['x-lockstep-version']]).toEqual([
      'a=b',
      undefined,
      'v3',
    ]);
    await waitFor(() => scene.inFlight('v3') === 0, { what: 'its end' });
    expect(scene.gauges.versionPreviews(scene.slotOf('v3'))).toBe(0);
  });

  test('by a header of its own, for clients that set headers', async () => {
    const { scene, v3 } = await staged();
    const answer = await rawRequest(scene, [`X-Lockstep-Preview: ${scene.preview('v3', 'tab')}`]);
    expect(versionIn(answer)).toBe('v3');
    expect(v3.requests.at(-1)!.headers['x-lockstep-preview']).toBeUndefined();
  });

  test('whatever the pin says, which stays as it is', async () => {
    const { scene } = await staged();
    const pin = scene.pin('v2');
    const both = `${pin}; lockstep-preview=${scene.preview('v3')}`;
    expect(versionIn(await rawRequest(scene, [...DOCUMENT, both]))).toBe('v3');
    expect(versionIn(await rawRequest(scene, [...DOCUMENT, pin]))).toBe('v2');
  });

  test.each([
    {
      name: 'is forged',
      change: (token: string) => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    },
    { name: 'is for the header', change: (_: string, scene: Scene) => scene.preview('v3', 'tab') },
    { name: 'is of a version that nobody knows', change: (_: string, scene: Scene) => scene.preview('v9') },
  ])('nothing where the claim $name', async ({ change }) => {
    const { scene } = await staged();
    const token = change(scene.preview('v3'), scene);
    const answer = await rawRequest(scene, [...DOCUMENT, `Cookie: lockstep-preview=${token}`]);
    expect(versionIn(answer)).toBe('v2');
    expect(valuesOf(answer, 'x-lockstep-preview')).toEqual([]);
  });

  test('not for the requests of a page of another version', async () => {
    const { scene } = await staged();
    const cookie = `${scene.pin('v2')}; lockstep-preview=${scene.preview('v3')}`;
    expect(versionIn(await rawRequest(scene, ['x-lockstep-version: v2', cookie]))).toBe('v2');
    expect(versionIn(await rawRequest(scene, ['x-lockstep-version: v3', cookie]))).toBe('v3');
  });

  test('never another version, when that one is away', async () => {
    const { scene } = await staged();
    scene.setHealth('v3', 'down');
    const answer = await rawRequest(scene, [...DOCUMENT, `Cookie: lockstep-preview=${scene.preview('v3')}`]);
    expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'no-upstream']);
  });

  describe('once it has ended', () => {
    test.each(['retired', 'ended'] as const)('(%s) the pin counts again', async (how) => {
      const { scene } = await staged();
      const cookie = `${scene.pin('v2')}; lockstep-preview=${scene.preview('v3')}`;
      expect(versionIn(await rawRequest(scene, [cookie]))).toBe('v3');
      if (how === 'retired') await scene.activate('v2', ['v3']);
      else {
        const previewsEndedMs = Date.now() + 60_000;
        await scene.activate('v2', [], { state: 'staged', takesPinned: false, previewsEndedMs });
      }
      expect(versionIn(await rawRequest(scene, [cookie]))).toBe('v2');
    });
  });

  test('its streams hold up nothing', async () => {
    const { scene } = await staged();
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    const token = scene.preview('v3');
    await client.send(`GET /sse HTTP/1.1\r\nHost: a\r\nCookie: lockstep-preview=${token}\r\n\r\n`);
    await waitFor(() => scene.gauges.versionPreviews(scene.slotOf('v3')) === 1, { what: 'the stream' });
    await waitFor(() => client.received().includes('x-lockstep-preview'), { what: 'its head' });
    expect([scene.inFlight('v3'), scene.streams('v3')]).toEqual([1, 0]);
    client.close();
    await waitFor(() => scene.gauges.versionPreviews(scene.slotOf('v3')) === 0, { what: 'its end' });
  });
});
