// npm run soak: see soak.ts for what it does and rules.ts for what it allows.
//
//   npm run soak                          20 minutes
//   npm run soak -- --minutes 60          or --seconds 90
//   npm run soak -- --seed 7              the seed that a run printed: the same clients, kills and deploys
//   npm run soak -- --json FILE           the figures for programs as well
//
// Exits with 1 when something was not allowed or did not stay flat. An interrupt ends it early, with its report.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reportText } from './report.ts';
import { soak } from './soak.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const seconds =
    values.seconds === undefined
      ? numberOf('minutes', values.minutes, 20) * 60
      : numberOf('seconds', values.seconds, 0);
  const seed = numberOf('seed', values.seed, Date.now() % 1_000_000_000);
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isInterrupted = true;
    });
  }
  console.log(`seed ${seed}, ${seconds} s`);
  const report = await soak({
    seconds,
    seed,
    isInterrupted: () => isInterrupted,
    onProgress: (line) => console.log(line),
  });
  console.log(reportText(report));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
  return report.passed ? 0 : 1;
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name}: expected a number from 1, got ${text}`);
  return Number(text);
}
