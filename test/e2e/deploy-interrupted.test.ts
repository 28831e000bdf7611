// The real command and a real gateway. v0 has left web03 and web04, or is about to; v1 serves on web01 and web02; v2 is deployed
// to web03 and web04. In each step the command is killed, resumed, interrupted by Ctrl-C, and resumed again: it ends as if
// nothing had been, and no hook that was run is run again. Then it is the gateway that is killed, again and again.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { DeployRecord } from '../../src/cli/deploy/journal.ts';
import { type DeployFarm, type FarmHost, startDeployFarm } from '../kit/deploy-farm.ts';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { waitFor } from '../kit/wait-for.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

interface Scene {
  readonly farm: DeployFarm;
  readonly web03: FarmHost;
  readonly web04: FarmHost;
  readonly gateway: GatewayProcess;
  /** Of the user. */
  readonly state: string;
  readonly journal: () => Promise<DeployRecord>;
  /** v2 to web03 and web04. */
  deploy(...more: readonly string[]): TestProcess;
  /** `--resume` and the like. */
  lockstep(...args: readonly string[]): TestProcess;
}

async function start(): Promise<Scene> {
  const folder = await temporaryFolder('interrupted');
  cleanUp.push(() => folder.remove());
  const farm = await startDeployFarm({ v1: ['web01', 'web02'], v0: ['web03', 'web04'] });
  cleanUp.push(() => farm.stop());
  const gateway = await startGatewayProcess({
    versions: { v0: farm.urls('web03', 'web04'), v1: farm.urls('web01', 'web02') },
    active: 'v0',
    cookie: { idle: '1s' },
    health: { path: '/healthz', interval: '100ms' },
  });
  cleanUp.push(() => gateway.stop());
  const { web03, web04 } = farm.hosts;
  const env = { XDG_STATE_HOME: folder.path, LOCKSTEP_ADMIN: gateway.admin.url, LOCKSTEP_TOKEN: '' };
  const lockstep = (...args: readonly string[]) => {
    const command = startProcess(process.execPath, [COMMAND, 'deploy', ...args], { env });
    cleanUp.push(() => command.stop('SIGKILL'));
    return command;
  };
  const name = `${gateway.admin.url.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`;
  return {
    farm,
    web03: web03!,
    web04: web04!,
    gateway,
    state: folder.path,
    lockstep,
    deploy: (...more) => {
      const hosts = ['--hosts', farm.named('web03', 'web04')];
      return lockstep('v2', ...hosts, '--each', farm.hook, '--warm', '/', '--warm-p95', '5s', ...more);
    },
    journal: async () => {
      const { readdir } = await import('node:fs/promises');
      const of = join(folder.path, 'lockstep/deploy');
      const file = (await readdir(of)).find((each) => each.startsWith(name) && each.endsWith('.json'));
      return JSON.parse(await readFile(join(of, file!), 'utf8')) as DeployRecord;
    },
  };
}

async function told(command: TestProcess, text: string): Promise<void> {
  try {
    await waitFor(() => command.stdout().includes(text), { what: JSON.stringify(text), timeoutMs: 20_000 });
  } catch (cause) {
    throw new Error(`${command.stdout()}${command.stderr()}`, { cause });
  }
}

/** Somebody who has a stream open on the active version, and does not leave. */
async function holdStream({ gateway }: Scene): Promise<() => void> {
  const leave = new AbortController();
  cleanUp.push(() => leave.abort());
  const before = (await gateway.admin.status()).active!;
  const headers = { accept: 'text/event-stream' };
  const answer = await fetch(`${gateway.url}/sse`, { headers, signal: leave.signal });
  answer.text().catch(() => {});
  await waitFor(async () => (await gateway.admin.version(before)).sessions.streams === 1, {
    what: 'a stream',
  });
  return () => leave.abort();
}

/** v1 takes over; v0 is drained. */
async function swap({ gateway }: Scene): Promise<void> {
  await gateway.admin.wait('v1', 'healthy');
  await gateway.admin.promote('v1');
  await gateway.admin.waitForDrained('v0');
}

interface Interruption {
  readonly step: string;
  readonly more?: readonly string[];
  /** Makes the step hang; what it answers lets it go on. */
  hold(scene: Scene): Promise<() => unknown>;
  /** Shown when it hangs. */
  readonly shows: string;
  /** It hangs there for the first or second time. */
  readonly isReached?: (scene: Scene, times: number) => boolean;
  /** Hooks of web03 and web04 in the end. */
  readonly updates?: readonly [number, number];
}

const INTERRUPTIONS: readonly Interruption[] = [
  {
    step: 'free',
    hold: async (scene) => {
      await scene.gateway.admin.wait('v1', 'healthy');
      const leave = await holdStream(scene);
      await scene.gateway.admin.promote('v1');
      return leave;
    },
    shows: '… v0: ',
  },
  {
    step: 'hooks',
    hold: async (scene) => {
      await swap(scene);
      scene.web04.hookMs = 1_500;
      return () => {
        scene.web04.hookMs = 0;
      };
    },
    shows: 'web04: runs curl',
    isReached: ({ web04 }, times) => web04.updates() === times,
    updates: [1, 3],
  },
  {
    step: 'healthy',
    hold: async (scene) => {
      await swap(scene);
      scene.web04.staysDown = true;
      return () => scene.web04.revive();
    },
    shows: 'v2 is up on 1 of 2',
  },
  {
    step: 'promote',
    hold: async (scene) => {
      await swap(scene);
      scene.web03.warmMs = 1_000;
      return () => {
        scene.web03.warmMs = 0;
      };
    },
    shows: 'v2 is warmed up: ',
  },
  {
    step: 'promote',
    more: ['--canary', '50%', '--every', '1h'],
    hold: async (scene) => {
      await swap(scene);
      return () => scene.gateway.admin.promote('v2');
    },
    shows: 'step 1 of 2, 50% of new sessions',
  },
  {
    step: 'drained',
    hold: async (scene) => {
      await swap(scene);
      return holdStream(scene);
    },
    shows: '… v1: ',
  },
];

describe('the command', () => {
  test.each(INTERRUPTIONS)(
    'that is killed and interrupted in $step (shows "$shows") goes on where it was',
    async ({ step, more = [], hold, shows, isReached = () => true, updates = [1, 1] }) => {
      const scene = await start();
      const release = await hold(scene);
      const killed = scene.deploy(...more);
      await told(killed, shows);
      await waitFor(() => isReached(scene, 1), { what: 'the step' });
      expect(await killed.stop('SIGKILL')).toBe('SIGKILL');
      expect(await scene.journal()).toMatchObject({ step, end: null });
      const other = scene.deploy();
      expect(await other.exit).toBe(1);
      expect(other.stderr()).toMatch(/the deploy of v2 that began at .* was interrupted/);

      const interrupted = scene.lockstep('--resume');
      await told(interrupted, shows);
      await waitFor(() => isReached(scene, 2), { what: 'the step again' });
      interrupted.signal('SIGINT');
      expect(await interrupted.exit).toBe(1);
      expect(interrupted.stderr()).toContain('interrupted — go on with lockstep deploy --resume');
      expect(interrupted.stdout()).toContain('lockstep deploy --resume');
      if (step === 'hooks') expect(interrupted.stdout()).toContain('✗ web04: the hook was interrupted');
      expect(await scene.journal()).toMatchObject({ step, end: null });

      const resumed = scene.lockstep('--resume', '--json');
      await told(resumed, `"step":"${step}","state":"started"`);
      await release();
      expect([await resumed.exit, resumed.stderr()]).toEqual([0, '']);
      const last = JSON.parse(resumed.stdout().trim().split('\n').at(-1)!) as unknown;
      expect(last).toMatchObject({ event: 'end', outcome: 'done', exitCode: 0, version: 'v2' });
      const { active, versions } = await scene.gateway.admin.status();
      expect([active, versions.map(({ id, state }) => `${id} ${state}`)]).toEqual([
        'v2',
        ['v0 retired', 'v1 drained', 'v2 active'],
      ]);
      expect([scene.web03.updates(), scene.web04.updates()]).toEqual(updates);
      expect([scene.web03.version(), scene.web04.version()]).toEqual(['v2', 'v2']);
    },
  );

  test('goes on to the end when nobody reads what it prints any more', async () => {
    const scene = await start();
    await swap(scene);
    scene.web04.hookMs = 500;
    const hosts = scene.farm.named('web03', 'web04');
    const line = `"$0" "$1" deploy v2 --hosts ${hosts} --each '${scene.farm.hook}'; echo "code $?" >&2`;
    const env = { LOCKSTEP_ADMIN: scene.gateway.admin.url, XDG_STATE_HOME: scene.state };
    const piped = startProcess('/bin/sh', ['-c', `{ ${line}; } | head -n 2`, process.execPath, COMMAND], {
      env,
    });
    cleanUp.push(() => piped.stop('SIGKILL'));
    await piped.exit;
    await waitFor(() => piped.stderr().includes('code 0'), {
      what: 'the end of the deploy',
      timeoutMs: 30_000,
    });
    expect(scene.web04.version()).toBe('v2');
    expect((await scene.gateway.admin.status()).active).toBe('v2');
  });

  test('waits for a gateway that is killed in the middle, and gives up when it stays away', async () => {
    const scene = await start();
    const { gateway, web03, web04 } = scene;
    await swap(scene);
    web04.hookMs = 1_000;
    web03.warmMs = 500;
    const restart = async () => {
      await gateway.kill();
      await gateway.start();
    };
    const first = scene.deploy('--patience', '20s');
    await told(first, 'web04: runs curl');
    await restart();
    await told(first, 'v2 is warmed up: ');
    await gateway.kill();
    await told(first, 'trying again for 20s');
    await gateway.start();
    web03.warmMs = 0;
    await told(first, 'the gateway answers again');
    expect([await first.exit, first.stderr()]).toEqual([0, '']);

    const leave = await holdStream(scene);
    const back = ['v3', '--hosts', scene.farm.named('web01', 'web02'), '--each', scene.farm.hook];
    const second = scene.lockstep(...back, '--patience', '1s');
    await told(second, '… v2: ');
    await gateway.kill();
    expect(await second.exit).toBe(1);
    expect(second.stderr()).toMatch(/no answer from .*connection refused/);
    await gateway.start();
    leave();
    const resumed = scene.lockstep('--resume');
    expect([await resumed.exit, resumed.stderr()]).toEqual([0, '']);
    expect((await gateway.admin.status()).active).toBe('v3');
  });
});
