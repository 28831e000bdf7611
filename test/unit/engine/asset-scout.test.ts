// What a thread tells of assets, and which requests it takes to asset memory.

import { describe, expect, test } from 'vitest';
import type { SeenAsset } from '../../../src/core/asset-answer.ts';
import type { Decision, RequestFacts } from '../../../src/core/route.ts';
import { AssetScout } from '../../../src/engine/asset-scout.ts';
import { REQUESTS, versionOf } from '../core/routing-fixtures.ts';

const CHUNK = '/assets/chunk-3f2a9c01.js';
const HOST = 'www.shop.example';

function scout() {
  const told: SeenAsset[] = [];
  const ports = { onAsset: (asset: SeenAsset) => told.push(asset) };
  return { scout: AssetScout.of({ assetPatterns: ['hashed', 'folders'] }, ports, () => 0)!, told };
}

const request = (changes: Partial<RequestFacts>): RequestFacts => ({ ...REQUESTS.script, ...changes });

const decisionFor = (reason: Decision['reason']) =>
  ({ action: 'forward', reason, kind: 'safe', version: versionOf('v1', 1, 'active'), pin: null }) as Decision;

describe('an asset that lasts', () => {
  test('is told of once', () => {
    const { scout: one, told } = scout();
    for (let i = 0; i < 2; i++) one.see(request({ target: CHUNK }), HOST, decisionFor('pinned'), 'immutable');
    expect(told).toEqual([{ version: 'v1', host: HOST, target: CHUNK, scheme: 'http' }]);
  });

  test('is told of once more when it comes with TLS: it may be another', () => {
    const { scout: one, told } = scout();
    for (const isSecure of [false, true, false, true]) {
      one.see(request({ target: CHUNK, isSecure }), HOST, decisionFor('pinned'), 'immutable');
    }
    expect(told.map(({ scheme }) => scheme)).toEqual(['http', 'https']);
  });

  test('that nobody has without TLS may be there with it', () => {
    const { scout: one } = scout();
    const [plain, secure] = [false, true].map((isSecure) => request({ target: CHUNK, isSecure }));
    one.missed(plain!, HOST, decisionFor('pinned'));
    expect(one.mayHaveInstead(plain!, HOST, decisionFor('pinned'), 404)).toBe(false);
    expect(one.mayHaveInstead(secure!, HOST, decisionFor('pinned'), 404)).toBe(true);
  });

  // Else 8,192 of them, of 8 KiB each: 64 MiB a thread.
  test('is not remembered with a target of more than 2 KiB', () => {
    const { scout: one, told } = scout();
    const see = (target: string) => one.see(request({ target }), HOST, decisionFor('pinned'), 'immutable');
    see(CHUNK);
    for (let i = 0; i < 8_192; i++) see(`${CHUNK}?${i}`.padEnd(2_049, 'x'));
    see(CHUNK); // told anew if they had filled the set
    expect(told).toHaveLength(1);
  });

  test.each([
    { length: 259, want: true },
    { length: 260, want: false },
  ])('is told, and looked for, with a host of $length characters: $want', ({ length, want }) => {
    const { scout: one, told } = scout();
    const host = 'h'.repeat(length);
    one.see(request({ target: CHUNK }), host, decisionFor('pinned'), 'immutable');
    expect(told.length === 1).toBe(want);
    expect(one.mayHaveInstead(request({ target: CHUNK }), host, decisionFor('pinned'), 404)).toBe(want);
  });
});

describe('an asset that its version does not have', () => {
  test.each([
    { reason: 'pinned', want: true },
    { reason: 'new', want: true },
    { reason: 'preview', want: false },
    { reason: 'own', want: false },
  ] as const)('may come from others: $reason, $want', ({ reason, want }) => {
    const { scout: one } = scout();
    expect(one.mayHaveInstead(request({ target: CHUNK }), HOST, decisionFor(reason), 404)).toBe(want);
  });
});
