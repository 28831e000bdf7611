// npm run profile: a CPU profile of Lockstep under work 1, and from it two pages that need nothing else to be read:
// a table in Markdown of where the time goes, and a flame graph in SVG. The profile itself opens in Chrome's DevTools.
//
//   npm run profile                            32 connections, 10 s
//   npm run profile -- --seconds 5 --new       new sessions instead of pinned ones (work 3)
//   --connections N  --out DIRECTORY

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { folders } from './bench.ts';
import { flameGraph } from './flame-graph.ts';
import { installedLoader, type LoadPlan, load } from './load/load.ts';
import { lockstep } from './peers/lockstep.ts';
import { type CpuProfile, callTree, selfTimes, timesByPart } from './profile-tree.ts';
import { SMALL_PATH, startSmall } from './upstreams.ts';
import { BUSY_SESSIONS, measure } from './works/measured-cases.ts';

const ROWS = 50;
/** Parts below this share are left out: most of them are of the start. */
const LEAST_SHARE = 0.004;
const WARM_SECONDS = 3;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '32' },
    new: { type: 'boolean', default: false },
    out: { type: 'string', default: 'node_modules/.cache/bench/profile' },
  },
});
const root = mkdtempSync(join(tmpdir(), 'lockstep-profile-'));
try {
  await profile(values.out);
} finally {
  rmSync(root, { recursive: true, force: true });
}
process.exit(0);

async function profile(out: string): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const folder = folders(root);
  const upstreams = await startSmall(await folder('upstreams'));
  const { versions, active } = upstreams;
  // The warm-up is in the profile as well: V8 writes it from the start of the process.
  const nodeArguments = ['--cpu-prof', '--cpu-prof-dir', out, '--cpu-prof-interval', '500'];
  const running = await lockstep.start({ versions, active, folder: await folder('lockstep'), nodeArguments });
  const plan: LoadPlan = {
    port: running.port,
    method: 'GET',
    path: SMALL_PATH,
    fields: ['Accept: */*'],
    cookies: values.new ? [] : running.pins(active, BUSY_SESSIONS),
    body: null,
    connections: Number(values.connections),
    seconds: Number(values.seconds),
  };
  const loader = installedLoader();
  await load(loader, { ...plan, seconds: WARM_SECONDS });
  const { cpuUs, perSecond } = await measure({ loader }, running, plan);
  await running.stop(); // by SIGTERM, so that the profile is written
  await upstreams.stop();
  const profiles = readdirSync(out).filter((name) => name.endsWith('.cpuprofile'));
  const about = `${cpuUs.toFixed(1)} µs of CPU a request while profiled, ${Math.round(perSecond)} requests a second`;
  for (const [index, name] of profiles.entries()) {
    const read = JSON.parse(readFileSync(join(out, name), 'utf8')) as CpuProfile;
    // One for each thread.
    const base = join(out, profiles.length === 1 ? 'profile' : `profile-${index + 1}`);
    writeFileSync(`${base}.md`, page(read, about));
    writeFileSync(`${base}.svg`, flameGraph(callTree(read)));
    process.stdout.write(`${page(read, about)}\n${base}.md, ${base}.svg, ${join(out, name)}\n`);
  }
}

function page(read: CpuProfile, about: string): string {
  const self = selfTimes(read);
  const total = self.reduce((sum, { us }) => sum + us, 0);
  const share = (us: number): string => `${((us / total) * 100).toFixed(1)} %`;
  return [
    '# Where the time goes\n',
    `${about}. Idle time is left out; ${Math.round(total / 1_000)} ms were sampled.\n`,
    '| part | self |',
    '| --- | --- |',
    ...timesByPart(self)
      .filter(({ us }) => us / total >= LEAST_SHARE)
      .map(({ name, us }) => `| ${name} | ${share(us)} |`),
    '\n| function | where | self |',
    '| --- | --- | --- |',
    ...self.slice(0, ROWS).map(({ name, where, us }) => `| ${name} | ${where} | ${share(us)} |`),
    '',
  ].join('\n');
}
