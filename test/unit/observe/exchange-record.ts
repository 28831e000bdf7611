// A request that went well, to be changed where a test wants it otherwise.

import type { ExchangeRecord } from '../../../src/core/exchange.ts';
import { LineBlock } from '../../../src/observe/line-block.ts';
import { longestLine, writeExchange } from '../../../src/observe/log-line.ts';

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

/** As the access log has it. */
export function lineOf(record: ExchangeRecord, id: string): string {
  const block = new LineBlock(longestLine(record));
  writeExchange(block, record, id);
  return block.written.toString('latin1');
}
