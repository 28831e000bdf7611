// A change is sent under a key of its own (Idempotency-Key), so that it can be sent again when the connection broke before
// its answer was there: whether it was done or not, it is done once. Nothing else is tried again.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AdminClient, BrokenConnection, type CallOptions } from './client.ts';

const TRIES = 3;
const PAUSE_MS = 200;

export async function callOnce(client: AdminClient, path: string, options: CallOptions): Promise<unknown> {
  const key = randomUUID();
  const startedAt = performance.now();
  for (let tries = 1; ; tries++) {
    const ageSeconds = (performance.now() - startedAt) / 1_000;
    const headers = {
      ...options.headers,
      'idempotency-key': key,
      ...(tries > 1 && { 'idempotency-age': ageSeconds.toFixed(3) }),
    };
    try {
      return await client.call(path, { ...options, headers });
    } catch (error) {
      if (!(error instanceof BrokenConnection) || tries === TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
