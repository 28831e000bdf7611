// What a request gets whose version is gone, on every engine: each policy for each kind of request, and versions whose
// clients the active one accepts. What reaches the application is counted there: no body goes where it does not belong.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeadPinPolicy } from '../../src/core/policy.ts';
import { NAVIGATION, onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { startUpstream, type Upstream, VERSION_FIELD } from '../kit/upstream.ts';
import { onEveryEngine } from './engines.ts';
import { recorded, type Scene, startScene } from './scene.ts';

const PATIENCE_MS = 60;
const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const AJAX = ['Sec-Fetch-Dest: empty', 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Site: same-origin'];
const NOTHING = { method: 'GET', body: '' };
const POST = { method: 'POST', body: 'order=1' };

const KINDS = [
  { kind: 'navigation', lines: NAVIGATION, ask: NOTHING },
  { kind: 'safe', lines: AJAX, ask: NOTHING },
  { kind: 'unsafe', lines: AJAX, ask: POST },
  { kind: 'websocket', lines: WEBSOCKET, ask: NOTHING },
] as const;

/** What each policy answers; a WebSocket can be told no more than that it failed. */
const REFUSALS = {
  reload: { status: 409, error: 'dead-pin', reload: '1', reason: 'pin-gone' },
  unavailable: { status: 503, error: 'version-unavailable', reload: '', reason: 'pin-gone' },
  hold: { status: 503, error: 'version-unavailable', reload: '', reason: 'pin-gone' },
} as const;

onEveryEngine((engine) => {
  let v1: Upstream;
  let v2: Upstream;
  beforeAll(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
  });
  afterAll(async () => {
    await Promise.all([v1?.stop(), v2?.stop()]);
  });

  const start = async (deadPin: Partial<DeadPinPolicy>, accepts: readonly string[] = []): Promise<Scene> => {
    const scene = await startScene(engine, {
      versions: { v1: [v1.address], v2: [v2.address] },
      deadPin: { ...deadPin, patienceMs: PATIENCE_MS },
      accepts: { v2: accepts },
    });
    await scene.activate('v2', ['v1']);
    return scene;
  };

  describe.each(['reload', 'unavailable', 'hold'] as const)('a dead pin, by the policy %s', (policy) => {
    let scene: Scene;
    beforeAll(async () => {
      scene = await start({ navigation: policy, safe: policy, unsafe: policy });
    });
    afterAll(() => scene?.stop());

    test.each(KINDS)('of kind $kind', async ({ kind, lines, ask }) => {
      const want = REFUSALS[kind === 'websocket' ? 'reload' : policy];
      const before = v2.requests.length;
      const startedAt = performance.now();
      const answer = await rawRequest(scene, [...lines, scene.pin('v1')], ask);
      expect({
        status: answer.status,
        error: onlyValue(answer, 'x-lockstep-error'),
        reload: onlyValue(answer, 'x-lockstep-reload'),
      }).toEqual({ status: want.status, error: want.error, reload: want.reload });
      if (want.error === 'version-unavailable')
        expect(Number(onlyValue(answer, 'retry-after'))).toBeGreaterThan(0);
      const page = kind === 'navigation' ? 'text/html' : 'application/problem+json';
      expect(onlyValue(answer, 'content-type')).toContain(page);
      if (policy === 'hold' && kind !== 'websocket') {
        expect(performance.now() - startedAt).toBeGreaterThanOrEqual(PATIENCE_MS - 2);
      }
      expect(pinsSent(answer)).toEqual([]);
      expect(v2.requests.length).toBe(before);
      await recorded(scene, { version: 'v1', reason: want.reason, failure: want.error });
    });
  });

  describe('a dead pin, by the policy newest', () => {
    let scene: Scene;
    beforeAll(async () => {
      scene = await start({ navigation: 'newest', safe: 'newest' });
    });
    afterAll(() => scene?.stop());

    test('moves a navigation, pin and all', async () => {
      const answer = await rawRequest(scene, [...NAVIGATION, scene.pin('v1')]);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v2~/);
    });

    test('lends a sub-request an answer, and no pin', async () => {
      const answer = await rawRequest(scene, [...AJAX, scene.pin('v1')]);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      expect(pinsSent(answer)).toEqual([]);
    });

    test('never lends it to an unsafe request', async () => {
      const before = v2.requests.length;
      expect((await rawRequest(scene, [...AJAX, scene.pin('v1')], POST)).status).toBe(409);
      expect(v2.requests.length).toBe(before);
    });
  });

  describe('a dead pin whose clients the active version accepts', () => {
    let scene: Scene;
    beforeAll(async () => {
      scene = await start({}, ['v1']);
    });
    afterAll(() => scene?.stop());

    test.each(KINDS.filter(({ kind }) => kind !== 'navigation'))(
      '$kind goes there, and its pin stays',
      async ({ kind, lines, ask }) => {
        const answer = await rawRequest(scene, [...lines, scene.pin('v1')], ask);
        expect(onlyValue(answer, 'x-lockstep-version')).toBe('v2');
        expect(pinsSent(answer)).toEqual([]);
        if (kind === 'unsafe') expect(v2.requests.at(-1)!.method).toBe('POST');
        await recorded(scene, { version: 'v2', reason: 'accepted' });
      },
    );

    test('by its tab header as well', async () => {
      const lines = [...AJAX, scene.pin('v2'), 'X-Lockstep-Version: v1'];
      expect(onlyValue(await rawRequest(scene, lines, POST), VERSION_FIELD)).toBe('v2');
    });
  });
});
