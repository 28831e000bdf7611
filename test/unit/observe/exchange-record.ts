// A request that went well, to be changed where a test wants it otherwise.

import type { ExchangeRecord } from '../../../src/core/exchange.ts';

export function exchange(differences: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    startedAt: 1_764_000_000_000,
    method: 'GET',
    url: '/cart',
    host: 'shop.example',
    status: 200,
    version: 'v1',
    reason: 'pinned',
    session: 'abc',
    sessionFirst: 1_763_999_000_000,
    upstream: '127.0.0.1:9101',
    bytesIn: 0,
    bytesOut: 512,
    connectMs: -1,
    firstByteMs: 1.25,
    totalMs: 2.5,
    gatewayMs: 0.042,
    client: '10.0.0.1',
    failure: null,
    retries: 0,
    isStream: false,
    facts: null,
    decision: null,
    ...differences,
  };
}
