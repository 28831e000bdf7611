// `npm run fuzz`: the differential tests and the mutation loop for as long as one wants.
//
//   npm run fuzz                        1,000,000 cases each: requests, answers, mutants of the corpus
//   npm run fuzz -- --runs 50000 --seed 7
//   npm run fuzz -- --through           instead: through the gateway to nginx, HAProxy and node:http (20,000 cases)
//
// Prints its seed, shows how far it is, and exits with 1 and the smallest failing case.

import { parseArgs } from 'node:util';
import { mutateCorpus } from './corpus-loop.ts';
import { startOrigins } from './origins.ts';
import { runDifferential } from './properties.ts';
import { sendThrough } from './through.ts';

interface Plan {
  readonly runs: number;
  readonly seed: number;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' },
      seed: { type: 'string' },
      through: { type: 'boolean', default: false },
    },
  });
  const plan = {
    runs: numberOf('runs', values.runs, values.through ? 20_000 : 1_000_000),
    seed: numberOf('seed', values.seed, Date.now() % 1_000_000_000),
  };
  console.log(`seed ${plan.seed}, ${plan.runs} cases each`);
  try {
    if (values.through) await through(plan);
    else long(plan);
    return 0;
  } catch (error) {
    console.error(error);
    console.error(
      `repeat it with --seed ${plan.seed} --runs ${plan.runs}${values.through ? ' --through' : ''}`,
    );
    return 1;
  }
}

function long(plan: Plan): void {
  for (const side of ['requests', 'answers'] as const) {
    const show = progress(side, plan.runs);
    const { accepted, differences } = runDifferential({ side, ...plan, onProgress: show });
    console.log(`${side}: no fault; accepted in ${accepted}; explained:`, Object.fromEntries(differences));
  }
  const show = progress('mutants', plan.runs);
  const { accepted, kept } = mutateCorpus({
    ...plan,
    isGuided: true,
    onProgress: (done, keptNow) => show(done, `${keptNow} kept`),
  });
  console.log(`mutants: no fault; accepted in ${accepted}; kept for new code ${kept}`);
}

async function through(plan: Plan): Promise<void> {
  const origins = await startOrigins();
  try {
    const show = progress('through', plan.runs);
    const { compared, requests } = await sendThrough(origins.all, {
      ...plan,
      onProgress: (done) => show(done),
    });
    console.log(`through: no fault; ${compared} cases sent, ${requests} requests seen alike`);
  } finally {
    await origins.stop();
  }
}

/** A line each second, so that it reads in a log as well. */
function progress(name: string, runs: number): (done: number, more?: string) => void {
  const startedAt = performance.now();
  let shownAt = startedAt;
  return (done, more = '') => {
    const nowMs = performance.now();
    if (nowMs - shownAt < 1_000) return;
    shownAt = nowMs;
    const perSecond = Math.round(done / ((nowMs - startedAt) / 1_000));
    console.log(`${name}: ${done} of ${runs}, ${perSecond} a second ${more}`);
  };
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${name}: expected a number from 1, got ${text}`);
  return Number(text);
}
