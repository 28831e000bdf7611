// npm run bench: measures Lockstep beside its peers and writes what it found.
//
//   npm run bench                              all works, all peers that are here: about half an hour
//   npm run bench -- --quick                   works 1 and 3 on the peers that matter most, in two minutes
//   npm run bench -- --only 1,3,lockstep,nginx works by name or number, peers by name
//   npm run bench -- --only 8 --case 50        of these works, what begins like that: '50 upstreams', '500 upstreams'
//   --rounds N (5)  --seconds N (3)  --load wrk|autocannon  --long (10 million sessions)  --out PATH (without its ending)

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bench, folders, type Sample, type Work } from './bench.ts';
import { installedLoader, type Loader } from './load/load.ts';
import { commit, describeMachine } from './machine.ts';
import { ALL_PEERS } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';
import { findProgram } from './programs.ts';
import { asJson, asMarkdown, type Report } from './report.ts';
import { ALL_WORKS } from './works/all.ts';

interface Asked {
  readonly works: readonly Work[];
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly seconds: number;
  readonly loader: Loader;
  readonly isLong: boolean;
  readonly cases: string;
  readonly out: string;
}

const QUICK = ['1', '3', 'lockstep', 'haproxy-full', 'haproxy-bare', 'nginx', 'http-proxy'];

await main();

async function main(): Promise<void> {
  const asked = readCommandLine();
  for (const name of ['haproxy', 'nginx']) {
    if (findProgram(name) === null)
      fail(`${name} is needed for the upstreams (scripts/test-tools installs it)`);
  }
  const machine = describeMachine();
  const startedAt = new Date();
  const missing: { name: string; why: string }[] = [];
  const peers = asked.peers.filter((peer) => {
    const why = peer.missing();
    if (why !== null) missing.push({ name: peer.name, why });
    return why === null;
  });
  const samples: Sample[] = [];
  const notes: string[] = [];
  await measureAll(asked, peers, samples, notes);
  const report: Report = {
    commit: commit(),
    startedAt: startedAt.toISOString(),
    tookSeconds: (Date.now() - startedAt.getTime()) / 1_000,
    machine,
    loader: asked.loader,
    rounds: asked.rounds,
    secondsEach: asked.seconds,
    peers: peers.map(({ name, title, version }) => ({ name, title, version: version() })),
    missing,
    notes,
    samples,
  };
  mkdirSync(dirname(asked.out), { recursive: true });
  const markdown = asMarkdown(report, asked.works);
  writeFileSync(`${asked.out}.md`, markdown);
  writeFileSync(`${asked.out}.json`, asJson(report));
  process.stdout.write(`${markdown}\n${asked.out}.md and .json\n`);
  process.exit(0);
}

async function measureAll(
  asked: Asked,
  peers: readonly Peer[],
  samples: Sample[],
  notes: string[],
): Promise<void> {
  const say = (text: string): boolean => process.stderr.write(`${text}\n`);
  for (const work of asked.works) {
    say(`${work.number}. ${work.title}`);
    // Logs and state of one work; the next one needs the room.
    const root = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
    const bench: Bench = {
      peers,
      rounds: asked.rounds,
      seconds: asked.seconds,
      loader: asked.loader,
      isLong: asked.isLong,
      isAsked: (name) => name.startsWith(asked.cases),
      folder: folders(root),
      record: (sample) => {
        samples.push(sample);
        say(`   ${sample.case} · ${sample.peer} · ${sample.metric} ${sample.value.toPrecision(4)}`);
      },
      note: (text) => {
        if (!notes.includes(text)) notes.push(text);
        say(`   ! ${text}`);
      },
    };
    try {
      await work.run(bench);
    } catch (error) {
      bench.note(`${work.number} ended early: ${(error as Error).message}`);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }
}

function readCommandLine(): Asked {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      only: { type: 'string' },
      case: { type: 'string', default: '' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      load: { type: 'string' },
      out: { type: 'string', default: 'node_modules/.cache/bench/report' },
    },
  });
  const names = values.only?.split(',') ?? (values.quick ? QUICK : []);
  const isWork = (name: string): boolean =>
    ALL_WORKS.some((work) => work.name === name || String(work.number) === name);
  const unknown = names.filter((name) => !isWork(name) && !ALL_PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) fail(`neither a work nor a peer: ${unknown.join(', ')}`);
  const works = names.filter(isWork);
  const peers = names.filter((name) => !isWork(name));
  const { load = installedLoader() } = values;
  if (load !== 'wrk' && load !== 'autocannon') fail('--load takes wrk or autocannon');
  return {
    works: ALL_WORKS.filter(
      ({ name, number }) => works.length === 0 || works.includes(name) || works.includes(String(number)),
    ),
    peers: ALL_PEERS.filter(({ name }) => peers.length === 0 || peers.includes(name)),
    rounds: wholeNumber(values.rounds ?? (values.quick ? '3' : '5'), '--rounds'),
    seconds: wholeNumber(values.seconds ?? (values.quick ? '1' : '3'), '--seconds'),
    loader: load,
    isLong: values.long,
    cases: values.case,
    out: values.out,
  };
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) fail(`${option} takes a whole number from 1 on`);
  return value;
}

function fail(sentence: string): never {
  process.stderr.write(`bench: ${sentence}\n`);
  process.exit(2);
}
