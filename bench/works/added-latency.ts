// Work 6: what a peer adds to an answer's time at fixed rates, above asking the upstream directly in the same round.

import type { Bench, Metric, Work } from '../bench.ts';
import { interleave } from '../bench.ts';
import { hasFixedRate, loadAtRate } from '../load/fixed-rate.ts';
import { quantile } from '../stats.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall, type Upstreams } from '../upstreams.ts';
import { validate } from '../validate.ts';
import { type Started, startAll } from './measured-cases.ts';

const RATES = [1_000, 5_000, 10_000];
const CONNECTIONS = 50;
const QUANTILES: readonly (readonly [Metric, number])[] = [
  ['p50Us', 0.5],
  ['p99Us', 0.99],
  ['p999Us', 0.999],
];

export const addedLatency: Work = {
  name: 'added-latency',
  number: 6,
  title: 'added latency at fixed rates, above direct',
  run: async (bench) => {
    if (!hasFixedRate()) {
      bench.note('6 is not measured: h2load is not installed');
      return;
    }
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const started = await startAll(bench, bench.peers, upstreams);
    try {
      const expected = { path: SMALL_PATH, body: (version: string) => bodyOf(version, SMALL_BYTES) };
      for (const { running } of started) await validate(running, upstreams, expected);
      for (const rate of RATES) await measureRate(bench, rate, started, upstreams);
    } finally {
      await Promise.all(started.map(({ running }) => running.stop()));
      await upstreams.stop();
    }
  },
};

async function measureRate(
  bench: Bench,
  rate: number,
  peers: readonly Started[],
  { versions, active }: Upstreams,
): Promise<void> {
  const address = versions.find(({ id }) => id === active)!.addresses[0]!;
  const direct = { name: 'direct', port: Number(address.split(':')[1]), cookie: 'none=1' };
  const targets = peers.map(({ peer, running }) => ({
    name: peer.name,
    port: running.port,
    cookie: running.pins(active, 1)[0]!,
  }));
  const ask = (port: number, cookie: string, seconds: number) =>
    loadAtRate({ port, cookie, path: SMALL_PATH, rate, connections: CONNECTIONS, seconds });
  for (const { port, cookie } of targets) await ask(port, cookie, 1);
  // The direct one is first in each round, and all of the round is compared with it.
  let base: readonly number[] = [];
  let baseOf = -1;
  await interleave(bench.rounds, targets, async ({ name, port, cookie }, round) => {
    if (baseOf !== round) {
      base = (await ask(direct.port, direct.cookie, bench.seconds)).map(({ tookUs }) => tookUs);
      baseOf = round;
    }
    const took = (await ask(port, cookie, bench.seconds)).map(({ tookUs }) => tookUs);
    for (const [metric, share] of QUANTILES) {
      const value = quantile(took, share) - quantile(base, share);
      bench.record({ work: addedLatency.name, case: nameOf(rate), peer: name, metric, round, value });
    }
  });
}

function nameOf(rate: number): string {
  return `${rate.toLocaleString('en')}/s`;
}
