// T19: the disk is full that the access log is written to, and the state as well. Requests are served all the while, changes
// are refused, lost lines are counted where an operator looks, and what is written before and afterwards are whole lines.

import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { canMount, diskOf, withSmallDisk } from '../kit/own-mounts.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** Room for all that waits, when there is room again. */
const DISK_KIB = 16_384;
/** Four MiB of lines wait before the first is dropped: long ones fill that sooner. */
const TARGET = `/api/${'x'.repeat(6_000)}`;

describe.skipIf(!canMount())('an access log on a full disk', () => {
  let upstream: Upstream | undefined;
  let gateway: GatewayProcess | undefined;
  const cleanUp: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    await gateway?.stop();
    await upstream?.stop();
    for (const step of cleanUp.splice(0)) await step();
  });

  test('T19: loses lines and counts them, no request, and goes on with whole lines when there is room', async () => {
    const folder = await temporaryFolder('disk');
    cleanUp.push(() => folder.remove());
    const stateDir = join(folder.path, 'state');
    upstream = await startUpstream({ version: 'v1' });
    gateway = await startGatewayProcess(
      {
        versions: { v1: [upstream.url] },
        active: 'v1',
        stateDir,
        accessLog: { file: join(stateDir, 'access.log') },
      },
      (where, command) => withSmallDisk(where, DISK_KIB, command),
    );
    const { admin, url, process } = gateway;
    const agent = new Agent({ keepAlive: true });
    cleanUp.push(() => agent.destroy());
    const statuses = new Set<number>();
    const ask = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) statuses.add((await httpRequest(`${url}${TARGET}`, { agent })).status);
    };
    const dropped = async (): Promise<number> => {
      const text = (await admin.call('GET', '/metrics')).text();
      return Number(/^lockstep_access_log_dropped_total (\d+)$/m.exec(text)?.[1]);
    };
    await ask(5);
    const disk = diskOf(process().pid, stateDir);
    disk.fill();
    const refused = await admin.call('POST', '/v1/versions/v1/drain', {});
    expect(refused.status).toBeGreaterThanOrEqual(400);
    await waitFor(
      async () => {
        await ask(100);
        return (await dropped()) > 0;
      },
      { what: 'lost lines to be counted', timeoutMs: 40_000 },
    );
    disk.makeRoom();
    const log = (): string =>
      readFileSync(join(`/proc/${process().pid}/root`, stateDir, 'access.log'), 'utf8');
    const before = log().length;
    await waitFor(
      async () => {
        await ask(10);
        return log().length > before + 1_000 && log().endsWith('\n');
      },
      { what: 'lines to be written again', timeoutMs: 20_000 },
    );
    expect([...statuses]).toEqual([200]);
    const lines = log().trimEnd().split('\n');
    const broken = lines.filter((line) => {
      try {
        const { url, dropped } = JSON.parse(line) as { url?: string; dropped?: number };
        return url !== TARGET && dropped === undefined;
      } catch {
        return true;
      }
    });
    expect(broken).toEqual([]);
  });
});
