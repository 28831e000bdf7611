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
