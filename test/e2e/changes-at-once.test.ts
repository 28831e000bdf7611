// M06: operators and pipelines change the deployment at the same time. Changes happen one after another, whatever the
// order of arrival; one that was decided on an older epoch is refused when it says so; a request that is sent again does
// no more than the first; and the audit log has an entry for each, refused ones included.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../src/core/status.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

describe('M06: changes at the same time', () => {
  let upstreams: readonly Upstream[] = [];
  let gateway: GatewayProcess;
  const audit = async (): Promise<readonly AuditEntry[]> =>
    (await gateway.admin.call('GET', '/v1/audit?limit=1000')).json<{ entries: readonly AuditEntry[] }>()
      .entries;
  const promote = (id: string, epoch?: number) =>
    gateway.admin.call(
      'POST',
      `/v1/versions/${id}/promote`,
      {},
      epoch === undefined ? {} : { 'if-match': `"${epoch}"` },
    );
  beforeAll(async () => {
    upstreams = await Promise.all(['v1', 'v2', 'v3'].map((version) => startUpstream({ version })));
    const versions = Object.fromEntries(upstreams.map(({ version, url }) => [version, [url]]));
    gateway = await startGatewayProcess({ versions, active: 'v1' });
  });
  afterAll(async () => {
    await gateway?.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
  });

  test('of two promotes of one epoch one is done, the other gets a 412', async () => {
    const { epoch } = await gateway.admin.status();
    const answers = await Promise.all([promote('v2', epoch), promote('v3', epoch)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const winner = answers[0]!.status === 200 ? 'v2' : 'v3';
    const after = await gateway.admin.status();
    expect([after.active, after.epoch]).toEqual([winner, epoch + 1]);
    expect(after.versions.filter(({ state }) => state === 'active')).toHaveLength(1);
  });

  test('twenty at once end in one order, an epoch each', async () => {
    const { epoch, active } = await gateway.admin.status();
    const seen = (await audit()).length;
    const ids = Array.from({ length: 20 }, (_, n) => `v${(n % 3) + 1}`);
    const answers = await Promise.all(ids.map((id) => promote(id)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const entries = (await audit()).slice(0, -seen).reverse();
    expect(entries).toHaveLength(20);
    let now = { epoch, active };
    for (const entry of entries) {
      const isChange = entry.version !== now.active;
      expect([entry.epochBefore, entry.epochAfter]).toEqual([now.epoch, now.epoch + (isChange ? 1 : 0)]);
      expect(entry.outcome).toBe(isChange ? 'done' : 'unchanged');
      now = { epoch: entry.epochAfter, active: entry.version };
    }
    const after = await gateway.admin.status();
    expect([after.epoch, after.active]).toEqual([now.epoch, now.active]);
  });

  test('a promote that is sent again changes nothing more', async () => {
    await gateway.admin.promote('v1');
    const { epoch } = await gateway.admin.status();
    const again = await promote('v1');
    expect([again.status, again.json<{ changed: boolean }>().changed]).toEqual([200, false]);
    expect((await promote('v2', epoch - 1)).status, 'a replay of an older decision').toBe(412);
    expect((await gateway.admin.status()).epoch).toBe(epoch);
  });

  test('a promote during a drain takes the version back', async () => {
    await gateway.admin.promote('v2');
    expect((await gateway.admin.version('v1')).state).toBe('draining');
    await gateway.admin.promote('v1');
    expect((await gateway.admin.version('v1')).state).toBe('active');
    expect((await gateway.admin.version('v2')).state).toBe('draining');
  });

  test('a refused change has its entry, and changes nothing', async () => {
    const { epoch } = await gateway.admin.status();
    expect((await gateway.admin.call('POST', '/v1/versions/v1/drain', {})).status).toBe(409);
    const [latest] = await audit();
    expect(latest).toMatchObject({ verb: 'drain', version: 'v1', outcome: 'refused', epochAfter: epoch });
    expect((await gateway.admin.status()).epoch).toBe(epoch);
  });
});
