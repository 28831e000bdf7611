// M08 and T19: what an operator was told is done, is done, whatever happens to the process or the disk afterwards.
// The process is killed with -9 in the middle of changes, again and again: the state after it is the one that was
// acknowledged last, or the one that was under way, and never a mixture. A state file that is damaged is refused loudly,
// and never read as "no versions"; half of a new one beside it changes nothing; and a full disk refuses the change,
// while requests are served as before.

import { execFile } from 'node:child_process';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess } from '../kit/processes.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const KILLS = 8;
let v1: Upstream;
let v2: Upstream;
let gateway: GatewayProcess;
beforeEach(async () => {
  [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
  gateway = await startGatewayProcess({ versions: { v1: [v1.url], v2: [v2.url] }, active: 'v1' });
});
afterEach(async () => {
  await gateway?.stop();
  await Promise.all([v1?.stop(), v2?.stop()]);
});
const servedVersion = async (): Promise<unknown> =>
  (await httpRequest(`${gateway.url}/api/x`)).headers['x-app-version'];

describe('M08: kill -9 between applied and saved', () => {
  test(`loses no acknowledged change in ${KILLS} kills, and mixes nothing`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await gateway.admin.status();
      let told = { epoch: acknowledged.epoch, active: acknowledged.active };
      let changes = 0;
      // Promotes back and forth, one after another, until the process is gone.
      const operator = (async () => {
        for (;;) {
          const id = told.active === 'v1' ? 'v2' : 'v1';
          const answer = await gateway.admin.promote(id);
          const { epoch, status } = answer.json<{ epoch: number; status: { active: string } }>();
          told = { epoch, active: status.active };
          changes++;
        }
      })().catch(() => {});
      const wanted = 1 + Math.floor(Math.random() * 10);
      await waitFor(() => changes >= wanted, { what: 'some changes', everyMs: 1 });
      await gateway.kill();
      await operator;
      await gateway.start();
      const { epoch, active, versions } = await gateway.admin.status();
      const isSame = epoch === told.epoch && active === told.active;
      const isNext = epoch === told.epoch + 1 && active !== told.active;
      expect(isSame || isNext, `told ${JSON.stringify(told)}, found ${epoch} ${active}`).toBe(true);
      expect(versions.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(
        active === 'v1' ? ['v1 active', 'v2 draining'] : ['v1 draining', 'v2 active'],
      );
      expect(await servedVersion()).toBe(active);
    }
  });
});

describe('T19: a damaged disk', () => {
  const stateFile = async (): Promise<string> => {
    const files = await readdir(gateway.stateDir);
    const found = files.find((name) => name === 'state.json');
    if (found === undefined) throw new Error(`no state.json among ${files.join()}`);
    return join(gateway.stateDir, found);
  };
  /** Runs `serve` until it ends by itself; what it said. */
  const refusal = async (): Promise<string> => {
    const bin = new URL('../../bin/lockstep.js', import.meta.url).pathname;
    const process_ = startProcess(process.execPath, [bin, 'serve', '--config', gateway.configFile]);
    const said = await waitFor(() => (process_.isRunning() ? null : process_.stderr() + process_.stdout()), {
      what: 'the gateway to refuse to start',
    }).finally(() => process_.stop('SIGKILL'));
    expect(await process_.exit).toBe(1);
    return said;
  };

  test.each([
    {
      name: 'cut in half',
      damage: async (file: string) => truncate(file, Math.floor((await readFile(file)).length / 2)),
    },
    { name: 'empty', damage: (file: string) => truncate(file, 0) },
    {
      name: 'changed in one character',
      damage: async (file: string) =>
        writeFile(file, (await readFile(file, 'utf8')).replace('draining', 'retired!')),
    },
    {
      name: 'of zeros',
      damage: async (file: string) => writeFile(file, Buffer.alloc((await readFile(file)).length)),
    },
  ])(
    'a state file that is $name is refused by name, and never taken for an empty one',
    async ({ damage }) => {
      await gateway.admin.promote('v2');
      const file = await stateFile();
      const good = await readFile(file);
      await gateway.terminate();
      await damage(file);
      const said = await refusal();
      expect(said).toContain(file);
      expect(said, 'and the previous one is offered').toContain('state.previous.json');
      await writeFile(file, good);
      await gateway.start();
      expect(await servedVersion()).toBe('v2');
    },
  );

  test('half of a new state beside the good one changes nothing', async () => {
    await gateway.admin.promote('v2');
    const file = await stateFile();
    await gateway.kill();
    const half = (await readFile(file, 'utf8')).slice(0, 40);
    for (const name of ['state.json.tmp', 'state.json.new', '.state.json.tmp']) {
      await writeFile(join(gateway.stateDir, name), half);
    }
    await gateway.start();
    expect((await gateway.admin.status()).active).toBe('v2');
    expect(await servedVersion()).toBe('v2');
  });

  test('a full disk refuses the change, and requests are served as before', async () => {
    const before = await gateway.admin.status();
    // No file of this process may grow beyond nothing: what a full disk does, without being root.
    const limitFiles = (to: string): Promise<unknown> =>
      promisify(execFile)('prlimit', ['--pid', String(gateway.process().pid), `--fsize=${to}:`]);
    await limitFiles('0');
    const answer = await gateway.admin.call('POST', '/v1/versions/v2/promote', {});
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    const after = await gateway.admin.status();
    expect([after.epoch, after.active]).toEqual([before.epoch, 'v1']);
    expect(await servedVersion()).toBe('v1');
    await limitFiles('unlimited');
    await gateway.admin.promote('v2');
    await gateway.kill();
    await gateway.start();
    expect(await servedVersion()).toBe('v2');
  });
});
