// What can go wrong with a deploy, step by step: how it ends, what is so then at the gateway and on the servers, and that
// it goes on where it was once the fault is mended. v1 serves on web01 and web02, v2 is deployed to web03 and web04.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, type TestContext, test } from 'vitest';
import type { DeployRecord } from '../../../src/cli/deploy/journal.ts';
import { type DeployRun, type DeployScene, startDeployScene } from '../../kit/deploy-farm.ts';
import { httpRequest } from '../../kit/http-request.ts';
import { waitFor } from '../../kit/wait-for.ts';

/** They mostly wait, and so are beside each other: each test ends its own, the last first. */
interface Scene extends DeployScene {
  readonly ends: TestContext['onTestFinished'];
}

async function start({ onTestFinished: ends }: TestContext): Promise<Scene> {
  const scene = await startDeployScene();
  ends(() => scene.stop());
  return { ...scene, ends };
}

const toSecondHalf = ({ farm }: DeployScene) => [
  'v2',
  '--hosts',
  farm.named('web03', 'web04'),
  '--each',
  farm.hook,
];
const journalOf = async ({ journal }: DeployScene) =>
  JSON.parse(await readFile(journal, 'utf8')) as DeployRecord;
const told = (run: DeployRun, text: string) =>
  waitFor(() => run.ran.out.includes(text), { what: `"${text}"`, timeoutMs: 40_000 });

async function states({ gateway }: DeployScene) {
  const { active, versions } = await gateway.admin.status();
  const state = versions.find(({ id }) => id === 'v2')?.state ?? 'none';
  return `${active} active, v2 ${state}`;
}

/** Keeps new visitors coming until the test ends. */
function visitors({ gateway, ends }: Scene): void {
  let isOver = false;
  const one = async () => {
    while (!isOver) {
      const headers = { 'user-agent': crypto.randomUUID() };
      await httpRequest(`${gateway.url}/page`, { headers }).catch(() => {});
      await sleep(5);
    }
  };
  const all = Promise.all([one(), one(), one()]);
  ends(async () => {
    isOver = true;
    await all;
  });
}

interface Fault {
  readonly step: string;
  readonly fault: string;
  readonly more?: readonly string[];
  begin?(scene: DeployScene): void;
  mend?(scene: DeployScene): unknown;
  readonly exit: number;
  readonly end: string;
  readonly says: RegExp;
  /** Of web03 and web04, when all is done. */
  readonly updates: readonly [number, number];
}

const FAULTS: readonly Fault[] = [
  {
    step: 'hooks',
    fault: 'the hook of the second server fails',
    begin: ({ farm }) => {
      farm.hosts['web04']!.hookStatus = 500;
    },
    mend: ({ farm }) => {
      farm.hosts['web04']!.hookStatus = 200;
    },
    exit: 1,
    end: 'v1 active, v2 none',
    says: /the hook for web04 failed with exit code 22/,
    updates: [1, 2],
  },
  {
    step: 'hooks',
    fault: 'the hook of the first server does not end',
    more: ['--hook-timeout', '2s'],
    begin: ({ farm }) => {
      farm.hosts['web03']!.hookMs = 60_000;
    },
    mend: ({ farm }) => {
      farm.hosts['web03']!.hookMs = 0;
    },
    exit: 1,
    end: 'v1 active, v2 none',
    says: /the hook for web03 did not end within 2s/,
    updates: [2, 1],
  },
  {
    step: 'healthy',
    fault: 'a server does not come back',
    more: ['--health-timeout', '2s'],
    begin: ({ farm }) => {
      farm.hosts['web04']!.staysDown = true;
    },
    mend: ({ farm }) => farm.hosts['web04']!.revive(),
    exit: 3,
    end: 'v1 active, v2 retired',
    says: /v2 is up on 1 of 2; .*web04 is down \(connection refused\), after 2s/,
    updates: [1, 1],
  },
  {
    step: 'healthy',
    fault: 'a server is left staged with --keep',
    more: ['--health-timeout', '2s', '--keep'],
    begin: ({ farm }) => {
      farm.hosts['web04']!.staysDown = true;
    },
    mend: ({ farm }) => farm.hosts['web04']!.revive(),
    exit: 3,
    end: 'v1 active, v2 staged',
    says: /web04 is down/,
    updates: [1, 1],
  },
  {
    step: 'healthy',
    fault: 'a server reports another version',
    more: ['--health-timeout', '2s'],
    begin: ({ farm }) => {
      farm.hosts['web03']!.says = 'v1.9';
    },
    mend: ({ farm }) => {
      farm.hosts['web03']!.says = 'v2';
    },
    exit: 1,
    end: 'v1 active, v2 retired',
    says: /web03 says that it runs v1\.9/,
    updates: [1, 1],
  },
  {
    step: 'promote',
    fault: 'the warm-up fails',
    more: ['--warm', '/,/login', '--warm-p95', '5s'],
    begin: ({ farm }) => {
      farm.hosts['web03']!.warmStatus = 500;
    },
    mend: ({ farm }) => {
      farm.hosts['web03']!.warmStatus = 200;
    },
    exit: 1,
    end: 'v1 active, v2 retired',
    says: /v2 is not warm.* — put it right, then: lockstep deploy --resume/,
    updates: [1, 1],
  },
];

describe.concurrent('a deploy', () => {
  test.for(FAULTS)(
    'in which $fault ends in $step with $exit and $end, and goes on when that is mended',
    async ({ more = [], begin, mend, exit, end, says, updates }, context) => {
      const scene = await start(context);
      begin?.(scene);
      const run = scene.deploy([...toSecondHalf(scene), ...more]);
      expect(await run.exit).toBe(exit);
      expect(run.ran.err).toMatch(says);
      expect(await states(scene)).toBe(end);
      expect(run.ran.out).toContain('lockstep deploy --resume');
      expect((await journalOf(scene)).end).toMatchObject({ outcome: 'failed' });

      await mend?.(scene);
      const again = scene.deploy(['--resume']);
      expect([await again.exit, again.ran.err]).toEqual([0, '']);
      expect(await states(scene)).toBe('v2 active, v2 active');
      const { web03, web04 } = scene.farm.hosts;
      expect([web03?.updates(), web04?.updates()]).toEqual(updates);
      expect([web03?.version(), web04?.version()]).toEqual(['v2', 'v2']);
    },
  );

  test('to servers that say nothing is refused, unless that is told', async (context) => {
    const scene = await start(context);
    scene.farm.hosts['web03']!.says = null;
    const run = scene.deploy(toSecondHalf(scene));
    expect(await run.exit).toBe(1);
    expect(run.ran.err).toMatch(/1 of 2 says that it runs v2.*--no-report/s);
    const again = scene.deploy([...toSecondHalf(scene), '--no-report', '--no-wait']);
    expect([await again.exit, again.ran.err]).toEqual([0, '']);
    expect(again.ran.out).toContain('v2 is up on 2 of 2; 1 of 2 says that it runs v2');
  });

  test.for([
    { onFailure: 'stop', state: 'canary' },
    { onFailure: 'rollback', state: 'draining' },
  ])(
    'whose canary is halted ends with 1; with --on-failure $onFailure it is $state',
    async (row, context) => {
      const scene = await start(context);
      visitors(scene);
      for (const name of ['web03', 'web04']) scene.farm.hosts[name]!.pageStatus = 500;
      const canary = ['--canary', '40%', '--every', '5m', '--min', '10', '--on-failure', row.onFailure];
      const run = scene.deploy([...toSecondHalf(scene), ...canary]);
      expect(await run.exit).toBe(1);
      expect(run.ran.err).toMatch(/the canary was halted at step 1 of 3: more of its requests failed/);
      expect(await scene.gateway.admin.version('v2')).toMatchObject({ state: row.state, weight: 0 });
      expect(await states(scene)).toBe(`v1 active, v2 ${row.state}`);
    },
  );

  test('with a good canary takes its steps, and waits for the other half', async (context) => {
    const scene = await start(context);
    const canary = ['--canary', '30%', '--step', '50%', '--every', '1s', '--unjudged'];
    const run = scene.deploy([...toSecondHalf(scene), ...canary]);
    await told(run, 'step 1 of 3, 30% of new sessions');
    expect([await run.exit, run.ran.err]).toEqual([0, '']);
    expect(run.ran.out).toContain('v1 is drained');
  });

  test('that another promote overtakes ends with 1, takes its own version back, and leaves the other', async (context) => {
    const scene = await start(context);
    const { admin } = scene.gateway;
    scene.farm.hosts['web04']!.staysDown = true;
    const run = scene.deploy([...toSecondHalf(scene), '--on-failure', 'rollback']);
    await told(run, 'v2 is up on 1 of 2');
    await admin.put(
      'other',
      scene.farm.urls('web01').map((url) => url.replace('127.0.0.1', 'localhost')),
    );
    await admin.wait('other', 'healthy');
    await admin.promote('other');
    await scene.farm.hosts['web04']!.revive();
    expect(await run.exit).toBe(1);
    expect(run.ran.err).toMatch(/other is active now, not v1/);
    expect(await states(scene)).toBe('other active, v2 retired');
  });

  test('whose version somebody else has put meanwhile ends with 1, and leaves it', async (context) => {
    const scene = await start(context);
    scene.farm.hosts['web03']!.hookMs = 2_000;
    const run = scene.deploy(toSecondHalf(scene));
    await told(run, 'web03: runs');
    await scene.gateway.admin.put('v2', scene.farm.urls('web03', 'web04'));
    expect(await run.exit).toBe(1);
    expect(run.ran.err).toMatch(/v2 is staged already — somebody else may be deploying it/);
    expect(scene.farm.hosts['web04']?.updates()).toBe(0);
    expect(await states(scene)).toBe('v1 active, v2 staged');
  });

  test('that is rolled back while it waits ends with 1', async (context) => {
    const scene = await start(context);
    const socket = holdStream(scene);
    const run = scene.deploy(toSecondHalf(scene));
    await told(run, '… v1: ');
    await scene.gateway.admin.rollback('keep');
    expect(await run.exit).toBe(1);
    expect(run.ran.err).toMatch(/v1 is active again, and v2 is drain(ing|ed)/);
    socket.abort();
  });

  test.for([
    { onFailure: 'stop', end: 'v2 active, v2 active' },
    { onFailure: 'rollback', end: 'v1 active, v2 draining' },
  ])(
    'whose servers all die ends with 1; with --on-failure $onFailure: $end',
    async ({ onFailure, end }, context) => {
      const scene = await start(context);
      const { web03, web04 } = scene.farm.hosts;
      holdStream(scene);
      const more = ['--health-timeout', '2s', '--on-failure', onFailure];
      const run = scene.deploy([...toSecondHalf(scene), ...more]);
      await told(run, '… v1: ');
      const late = holdStream(scene);
      await waitFor(async () => (await scene.gateway.admin.version('v2')).sessions.streams === 1, {
        what: 'a stream of v2',
      });
      await Promise.all([web03?.kill(), web04?.kill()]);
      expect(await run.exit).toBe(1);
      expect(run.ran.err).toContain('no server of v2 is up any more');
      expect(await states(scene)).toBe(end);
      expect(run.ran.out).toContain(onFailure === 'stop' ? 'lockstep rollback' : 'v2 drains with');
      late.abort();
    },
  );

  test('that waits too long ends with 3, and goes on waiting when it is resumed', async (context) => {
    const scene = await start(context);
    const socket = holdStream(scene);
    const run = scene.deploy([...toSecondHalf(scene), '--timeout', '4s', '--on-failure', 'rollback']);
    expect(await run.exit).toBe(3);
    expect(run.ran.err).toMatch(/v1 is not drained after 4s/);
    expect(await states(scene)).toBe('v2 active, v2 active');
    const again = scene.deploy(['--resume']);
    await told(again, '… v1: ');
    socket.abort();
    expect([await again.exit, again.ran.err]).toEqual([0, '']);
    expect(again.ran.out).not.toContain('runs the hooks');
  });

  test('beside another one is refused', async (context) => {
    const scene = await start(context);
    scene.farm.hosts['web03']!.hookMs = 2_500;
    const run = scene.deploy(toSecondHalf(scene));
    await told(run, 'web03: runs');
    const other = scene.deploy(['v3', '--hosts', scene.farm.named('web04'), '--each', 'true']);
    expect(await other.exit).toBe(1);
    expect(other.ran.err).toContain(`another deploy to this gateway is under way (process ${process.pid})`);
    expect(await run.exit).toBe(0);
  });

  test.for([
    { name: 'the active version', hosts: ['web01', 'web03'], says: /web01 carries v1, which is active/ },
    { name: 'nothing that is known', hosts: ['web09'], says: /nothing is known of web09.*--port/s },
  ])('to hosts with $name is refused before anything is done', async ({ hosts, says }, context) => {
    const scene = await start(context);
    const { farm } = scene;
    const named = hosts.map((name) => (farm.hosts[name] === undefined ? name : farm.named(name))).join(',');
    const run = scene.deploy(['v2', '--hosts', named, '--each', farm.hook]);
    expect(await run.exit).toBe(hosts.includes('web09') ? 2 : 1);
    expect(run.ran.err).toMatch(says);
    expect(Object.values(farm.hosts).map((host) => host.updates())).toEqual([0, 0, 0, 0]);
    expect(await states(scene)).toBe('v1 active, v2 none');
  });

  test('is only told with --dry-run', async (context) => {
    const scene = await start(context);
    const run = scene.deploy([...toSecondHalf(scene), '--dry-run']);
    expect(await run.exit).toBe(0);
    expect(run.ran.out).toContain('web03 and web04 carry no version: nobody is concerned.');
    expect(run.ran.out).toContain('3. Put v2 with web03 (127.0.0.1:');
    expect(scene.farm.hosts['web03']?.updates()).toBe(0);
    expect(await states(scene)).toBe('v1 active, v2 none');
  });

  test('that failed is ended with --abort, and the id may be deployed again', async (context) => {
    const scene = await start(context);
    scene.farm.hosts['web04']!.staysDown = true;
    const run = scene.deploy([...toSecondHalf(scene), '--health-timeout', '500ms', '--keep']);
    expect(await run.exit).toBe(3);
    const abort = scene.deploy(['--abort']);
    expect([await abort.exit, abort.ran.err]).toEqual([0, '']);
    expect(await scene.deploy(['--resume']).exit).toBe(1);
    scene.farm.hosts['web04']!.staysDown = false;
    const anew = scene.deploy([...toSecondHalf(scene), '--no-wait']);
    expect([await anew.exit, anew.ran.err]).toEqual([0, '']);
  });
});

/** Somebody on v1 who does not leave. */
function holdStream({ gateway, ends }: Scene): AbortController {
  const leave = new AbortController();
  const headers = { accept: 'text/event-stream' };
  fetch(`${gateway.url}/sse`, { headers, signal: leave.signal })
    .then((answer) => answer.text())
    .catch(() => {});
  ends(() => leave.abort());
  return leave;
}
