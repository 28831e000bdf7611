// What becomes of a gateway whose state directory fills up, is closed to it, or is empty where it should not be.
// It goes on serving whatever happens to the directory; it refuses changes that it could not remember, says so
// wherever an operator looks, and takes them again by itself. At a start it refuses what it cannot write to, and is
// loud about an empty directory: first what that means, then, when browsers come with pins that nobody knows, that it
// was not the first start.

import { rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { fakeTerminal } from '../integration/admin/fake-terminal.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { canMount, diskOf, withoutPrivileges, withSmallDisk } from '../kit/own-mounts.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

let v1: Upstream;
let v2: Upstream;

beforeAll(async () => {
  v1 = await startUpstream({ version: 'v1' });
  v2 = await startUpstream({ version: 'v2' });
});
afterAll(() => Promise.all([v1?.stop(), v2?.stop()]));

const settings = (): GatewaySettings => ({
  versions: { v1: [v1.url], v2: [v2.url] },
  active: 'v1',
  // Nobody is ill here for want of a core.
  health: { timeout: '5s' },
  more: { log: { access: 'off', level: 'warn' } },
});

/** One request after the other, until it is stopped. */
function serveOn(url: string): { count(): number; stop(): Promise<readonly unknown[]> } {
  let isDone = false;
  const agent = new Agent({ keepAlive: true });
  const statuses: unknown[] = [];
  const sending = (async () => {
    while (!isDone) {
      statuses.push(await httpRequest(`${url}/api/x`, { agent }).then(({ status }) => status, String));
    }
  })();
  return {
    count: () => statuses.length,
    stop: async () => {
      isDone = true;
      await sending;
      agent.destroy();
      return statuses;
    },
  };
}

// Beside each other, since they mostly wait: for processes to start, and for the next look at a directory.
describe.skipIf(!canMount()).concurrent('a state directory that cannot be written any more', () => {
  test.for([
    {
      name: 'full',
      says: 'the disk is full; make room there',
      spoil: (disk: ReturnType<typeof diskOf>) => disk.fill(),
      mend: (disk: ReturnType<typeof diskOf>) => disk.makeRoom(),
    },
    {
      name: 'no longer its own',
      says: 'this user may not; give it to the user that runs the gateway',
      spoil: (disk: ReturnType<typeof diskOf>) => disk.setMode(0o555),
      mend: (disk: ReturnType<typeof diskOf>) => disk.setMode(0o755),
    },
  ])(
    'because it is $name: changes are refused, requests are served, and it recovers by itself',
    async (row, { onTestFinished }) => {
      const { says, spoil, mend } = row;
      const gateway = await startGatewayProcess(settings(), (folder, command) =>
        withSmallDisk(folder, 128, withoutPrivileges(command)),
      );
      onTestFinished(() => gateway.stop());
      const { admin, url, stateDir, process } = gateway;
      const disk = diskOf(process().pid, stateDir);
      const events = await admin.follow();
      const traffic = serveOn(url);
      await admin.wait('v2', 'healthy');

      spoil(disk);
      const refused = await admin.call('POST', '/v1/versions/v2/promote', {});
      expect(refused.status).toBe(503);
      expect(refused.json()).toMatchObject({
        code: 'state-unwritable',
        detail: expect.stringContaining(says),
      });
      expect(refused.text()).toContain('Nothing was changed.');
      const ill = await admin.status();
      expect(ill).toMatchObject({ active: 'v1', state: { writable: false } });
      expect((await admin.call('GET', '/metrics')).text()).toContain('\nlockstep_state_writable 0');
      const { terminal, ran } = fakeTerminal({ env: { LOCKSTEP_ADMIN: admin.url } });
      await run(['status'], terminal);
      expect(ran.out).toContain('! changes are refused since ');
      // What stores nothing works all the same.
      await gateway.rewrite({ ...settings(), limits: { uri: '64' } });
      expect((await admin.call('POST', '/v1/reload')).status).toBe(200);
      expect((await httpRequest(`${url}/${'x'.repeat(100)}`)).status).toBe(414);

      mend(disk);
      await waitFor(async () => (await admin.status()).state.writable, { what: 'it to be writable again' });
      await admin.promote('v2');
      await waitFor(() => traffic.count() > 100, { what: 'a hundred requests', timeoutMs: 30_000 });
      const statuses = await traffic.stop();
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      events.stop();
      const told = events.seen.map(({ type }) => type).filter((type) => type.startsWith('state-'));
      expect(told).toEqual(['state-unwritable', 'state-writable']);
      expect((await admin.call('GET', '/metrics')).text()).toContain('\nlockstep_state_writable 1');
    },
  );

  test('at the start stops it, with what to do', async () => {
    const starting = startGatewayProcess(settings(), (folder, command) =>
      withSmallDisk(folder, 128, command, 'ro'),
    );
    await expect(starting).rejects.toThrow(
      /cannot be written: its file system is read-only; mount it writable/,
    );
  });

  test('at the start because it is full stops it, and the next start with room is not in its way', async ({
    onTestFinished,
  }) => {
    const twice =
      'cat /dev/zero >"$0/filler" 2>/dev/null; "$@"; echo "ended: $?" >&2; rm "$0/filler"; exec "$@"';
    const gateway = await startGatewayProcess(settings(), (folder, command) =>
      withSmallDisk(folder, 64, ['sh', '-c', twice, folder, ...command]),
    );
    onTestFinished(() => gateway.stop());
    expect(gateway.process().stderr()).toContain('cannot be written: the disk is full; make room there');
    expect(gateway.process().stderr()).toContain('ended: 1');
  });
});

describe.concurrent('a state directory that is empty', () => {
  test('is loud at each start, and once more when browsers come with pins of before', async ({
    onTestFinished,
  }) => {
    const gateway = await startGatewayProcess(settings());
    onTestFinished(() => gateway.stop());
    const { admin, url, process, stateDir } = gateway;
    expect(process().stderr()).toContain(`The state directory ${stateDir} is empty.`);
    expect(process().stderr()).toContain('v1 is active because the config says so');
    await admin.wait('v2', 'healthy');
    await admin.promote('v2');
    const pin = (await httpRequest(`${url}/api/x`)).setCookies[0]!.split(';')[0]!;
    expect(pin).toContain('.v2~');
    await gateway.terminate();

    await gateway.start();
    expect(process().stderr()).not.toContain('is empty');
    await gateway.kill();

    await rm(stateDir, { recursive: true });
    await gateway.start();
    expect(process().stderr()).toContain('every pin out there is worthless, and every session begins anew');
    expect((await admin.status()).active).toBe('v1');
    const events = await admin.follow();
    for (let count = 0; count < 20; count++) {
      const answer = await httpRequest(`${url}/api/x`, { headers: { cookie: pin } });
      expect(answer.headers['x-lockstep-version']).toBe('v1');
    }
    await waitFor(() => events.seen.some(({ type }) => type === 'pins-unknown'), { what: 'the event' });
    events.stop();
    expect(process().stderr()).toContain('browsers come with pins that this gateway does not know');
    expect(process().stderr()).toMatch(/"unknown":20,"requests":20/);
  });
});
