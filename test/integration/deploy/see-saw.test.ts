// Two halves of two servers. v1 serves on web01 and web02; v2 is deployed to web03 and web04, then v3 to web01 and web02, each
// with one command, while somebody has a page of v1 open. No server of v1 is touched until they have left; nobody ever
// gets an answer of another version than that of their page.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { browserWithCookies } from '../../kit/browser.ts';
import { type DeployScene, startDeployScene } from '../../kit/deploy-farm.ts';
import { waitFor } from '../../kit/wait-for.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Reads on in one page until it is told to leave. */
async function visitor(scene: DeployScene) {
  const browser = browserWithCookies({ origin: scene.gateway.url });
  const tab = browser.openTab();
  await tab.load();
  let isLeaving = false;
  const reading = (async () => {
    while (!isLeaving) {
      await tab.ajax('/api/x');
      await sleep(100);
    }
  })();
  const leave = async () => {
    isLeaving = true;
    await reading;
    browser.close();
  };
  cleanUp.push(leave);
  return { browser, tab, leave };
}

test('two halves take turns, and nobody who has a page open notices', async () => {
  const scene = await startDeployScene(() => ({ cookie: { idle: '2s' } }));
  cleanUp.push(() => scene.stop());
  const { farm, gateway } = scene;
  const { web01, web02, web03, web04 } = farm.hosts;
  const reader = await visitor(scene);
  expect(reader.tab.page()).toBe('v1');

  const first = scene.deploy([
    'v2',
    '--hosts',
    farm.named('web03', 'web04'),
    '--each',
    farm.hook,
    '--no-wait',
  ]);
  expect([await first.exit, first.ran.err]).toEqual([0, '']);
  expect([web03?.version(), web04?.version()]).toEqual(['v2', 'v2']);
  expect(first.ran.out).toContain('web03 | web03 runs v2 now');
  expect(first.ran.out).toContain('✓ v2 is up on 2 of 2; 2 of 2 say that they run v2');
  expect(first.ran.out).toContain('lockstep wait v1 --for drained');
  const newcomer = await visitor(scene);
  expect(newcomer.tab.page()).toBe('v2');

  const hosts = farm.named('web01', 'web02');
  const second = scene.deploy(['v3', '--hosts', hosts, '--each', farm.hook, '--parallel', '2', '--retire']);
  await waitFor(() => /… v1: 1 live/.test(second.ran.out), {
    what: 'the deploy to wait for the reader',
  });
  expect([web01?.updates(), web02?.updates()]).toEqual([0, 0]);
  await reader.leave();
  await waitFor(() => second.ran.out.includes('… v2: 1 live'), { what: 'the other half to drain' });
  expect([web01?.version(), web02?.version()]).toEqual(['v3', 'v3']);
  expect(second.ran.out).toContain('✓ web01 and web02 are free; v1, which was drained, is retired');
  await newcomer.leave();
  expect([await second.exit, second.ran.err]).toEqual([0, '']);
  expect(second.ran.out).toContain('v2 is retired: its servers can be stopped');

  const { active, versions } = await gateway.admin.status();
  expect([active, versions.map(({ id, state }) => `${id} ${state}`)]).toEqual([
    'v3',
    ['v1 retired', 'v2 retired', 'v3 active'],
  ]);
  for (const { browser } of [reader, newcomer])
    expect([browser.mismatches, browser.failures]).toEqual([[], []]);
});

test.each([
  { name: 'an operator promotes', autoPromote: null },
  { name: 'a share of the servers promotes', autoPromote: { share: '50%' } },
])('servers whose versions are found out go by their names, where $name', async ({ autoPromote }) => {
  const scene = await startDeployScene((farm) => {
    const servers = Object.values(farm.hosts).map(({ name, address }) => ({
      name,
      url: `http://${address}`,
    }));
    const versions = { v0: farm.urls('web03', 'web04'), v1: farm.urls('web01', 'web02') };
    const discovery = { servers, version: { header: 'x-app-version' }, autoPromote };
    return { versions, active: 'v0', more: { discovery } };
  });
  cleanUp.push(() => scene.stop());
  const { admin } = scene.gateway;
  await admin.wait('v1', 'healthy');
  if (autoPromote === null) await admin.promote('v1');
  await admin.waitForDrained('v0');
  const reader = await visitor(scene);
  expect(reader.tab.page()).toBe('v1');

  const args = ['--hosts', 'web03,web04', '--each', scene.farm.hook];
  const told = scene.deploy(['v2', ...args, '--dry-run']);
  expect([await told.exit, told.ran.err]).toEqual([0, '']);
  expect(told.ran.out).toContain('Wait until discovery finds v2 on them.');
  const run = scene.deploy(['v2', ...args]);
  await waitFor(() => run.ran.out.includes('… v1: 1 live'), { what: 'the other half to drain' });
  await reader.leave();
  expect([await run.exit, run.ran.err]).toEqual([0, '']);
  expect(run.ran.out).toContain('✓ 2 of 2 joined v2');
  expect(run.ran.out).toContain('✓ v2 is up on 2 of 2; 2 of 2 say that they run v2');

  const back = scene.deploy(['v3', '--hosts', 'web01,web02', '--each', scene.farm.hook]);
  expect([await back.exit, back.ran.err]).toEqual([0, '']);
  const { active, versions } = await admin.status();
  expect([active, versions.find(({ id }) => id === 'v3')?.upstreams.length]).toEqual(['v3', 2]);
  expect([reader.browser.mismatches, reader.browser.failures]).toEqual([[], []]);
});
