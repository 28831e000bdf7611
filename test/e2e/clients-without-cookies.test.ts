// Load testers and curl loops keep no cookies. Two thousand requests of theirs, half of them by curl itself, arrive
// while V1 is active, and they go on during its drain, some naming V1 in the tab header. They cannot fill the ledger,
// although it has room for a hundred sessions only, and they cannot keep V1 from draining.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess } from '../kit/processes.ts';
import { needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

describe.skipIf(!needsTool('curl'))('clients without cookies', () => {
  let v1: Upstream;
  let v2: Upstream;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    gateway = await startGatewayProcess({
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      cookie: { idle: '2s' },
      limits: { sessions: 100 },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await Promise.all([v1?.stop(), v2?.stop()]);
  });

  /** Documents, so that each answer carries a pin that never comes back. */
  const curl = async (times: number): Promise<void> => {
    const loop = startProcess('curl', ['-s', '-o', '/dev/null', '--fail', `${gateway.url}/?n=[1-${times}]`]);
    expect(await loop.exit, loop.stderr()).toBe(0);
  };

  test('fill no ledger, however many come', async () => {
    const mints: Promise<unknown>[] = [curl(500), curl(500)];
    for (let client = 0; client < 10; client++) {
      mints.push(
        (async () => {
          for (let n = 0; n < 100; n++) {
            const answer = await httpRequest(gateway.url, {
              headers: { 'user-agent': `tester ${client}/${n}` },
            });
            expect(answer.setCookies.length, 'a pin is offered each time').toBe(1);
          }
        })(),
      );
    }
    await Promise.all(mints);
    const { versions, sessionOverflow } = await gateway.admin.status();
    const sessions = versions.find(({ id }) => id === 'v1')!.sessions;
    expect(sessions.confirmed).toBe(0);
    expect(sessionOverflow).toBe(0);
    expect(sessions.live, 'a mint counts as a live session for a while').toBeGreaterThan(0);
  });

  test('keep no version from draining', async () => {
    await gateway.admin.promote('v2');
    let isDrained = false;
    const flood = async (
      headers: Readonly<Record<string, string>>,
      expected: readonly string[],
    ): Promise<number> => {
      let sent = 0;
      for (; !isDrained; sent++) {
        const answer = await httpRequest(`${gateway.url}/api/x`, { headers });
        expect(expected).toContain(`${answer.status} ${answer.headers['x-app-version'] ?? ''}`);
      }
      return sent;
    };
    const floods = [
      flood({}, ['200 v2']),
      flood({}, ['200 v2']),
      flood({ 'x-lockstep-version': 'v1' }, ['200 v1', '409 ']),
      (async () => {
        while (!isDrained) await curl(20);
      })(),
    ];
    try {
      await gateway.admin.waitForDrained('v1');
    } finally {
      isDrained = true;
    }
    const sent = (await Promise.all(floods)) as number[];
    expect(Math.min(...sent.slice(0, 3)), 'the floods were floods').toBeGreaterThan(50);
  });
});
