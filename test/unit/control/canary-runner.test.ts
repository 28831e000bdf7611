import { describe, expect, it } from 'vitest';
import { CanaryRunner } from '../../../src/control/canary-runner.ts';
import { Events } from '../../../src/control/events.ts';
import { planOf } from '../../../src/core/canary.ts';
import { CanaryMeter, CanaryTally } from '../../../src/core/canary-meter.ts';
import type { Change, Deployment } from '../../../src/core/deployment.ts';
import { exchange } from '../observe/exchange-record.ts';
import { deploymentOf } from './deployments.ts';
import { handClock } from './hand-clock.ts';

const EVERY_MS = 600_000;
const bounds = { errors: 0.01, p95: 1.5, min: 10 };

function bench(steps: readonly number[] = [5, 25, 100]) {
  const clock = handClock();
  const tally = new CanaryTally(0);
  const meter = new CanaryMeter(1, (counts) => tally.count(counts));
  const events = new Events(() => clock.wallMs());
  const asked: Change[] = [];
  const plan = planOf({ steps, everyMs: EVERY_MS }, bounds, clock.wallMs());
  const base = deploymentOf({ v2: 'active', v3: 'canary' });
  const state = {
    accepts: true,
    deployment: {
      ...base,
      versions: base.versions.map((version) =>
        version.id === 'v3' ? { ...version, weight: steps[0]!, canary: plan } : version,
      ),
    } as Deployment,
  };
  const runner = new CanaryRunner({
    clock,
    meter,
    events,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    deployment: () => state.deployment,
    change: async (change) => {
      asked.push(change);
      return state.accepts;
    },
  });
  const come = (version: string, requests: number, status = 200) => {
    for (let request = 0; request < requests; request++) {
      tally.record(exchange({ version, status, sessionFirst: clock.wallMs(), firstByteMs: 5 }));
    }
  };
  const told = () => events.since(0).map(({ type }) => type);
  runner.start();
  return { clock, state, asked, come, told, runner };
}

describe('the canary runner', () => {
  it('takes the next step when its time is over and both were judged', async () => {
    const { clock, asked, come, runner } = bench();
    come('v2', 10);
    come('v3', 10);
    clock.advance(EVERY_MS - 1);
    await runner.tick();
    expect(asked).toEqual([]);
    clock.advance(1);
    await runner.tick();
    expect(asked).toEqual([{ verb: 'canary-step', id: 'v3', step: 1 }]);
  });

  it('halts with the figures as soon as it is worse', async () => {
    const { asked, come, runner } = bench();
    come('v2', 10);
    come('v3', 9, 200);
    await runner.tick();
    expect(asked).toEqual([]);
    come('v3', 1, 503);
    await runner.tick();
    expect(asked).toMatchObject([
      {
        verb: 'canary-halt',
        id: 'v3',
        why: 'errors',
        canary: { requests: 10, errors: 1 },
        active: { errors: 0 },
      },
    ]);
  });

  it('leaves a change that was refused alone for a while, then tries again', async () => {
    const { clock, state, asked, come, runner } = bench();
    state.accepts = false;
    come('v2', 10);
    come('v3', 10, 500);
    for (let tick = 0; tick < 5; tick++) await runner.tick();
    expect(asked).toHaveLength(1);
    clock.advance(15_000);
    await runner.tick();
    expect(asked).toHaveLength(2);
  });

  it('says once in a step that it waits for requests', async () => {
    const { clock, asked, come, told, runner } = bench();
    come('v2', 10);
    come('v3', 9);
    clock.advance(EVERY_MS);
    await runner.tick();
    await runner.tick();
    expect([told(), asked]).toEqual([['canary-waiting'], []]);
    come('v3', 1);
    await runner.tick();
    expect(asked).toHaveLength(1);
  });

  it('measures anew after each length of a step where none follows, so that new faults show', async () => {
    const { clock, asked, come, state, runner } = bench([5]);
    come('v2', 1_000);
    come('v3', 1_000);
    clock.advance(EVERY_MS + 1);
    await runner.tick();
    const record = state.deployment.versions.find(({ id }) => id === 'v3')!;
    expect(runner.analysis(record)).toMatchObject({ verdict: 'too-few', canary: { requests: 0 } });
    come('v2', 10);
    come('v3', 10, 500);
    await runner.tick();
    expect(asked).toMatchObject([{ verb: 'canary-halt' }]);
  });

  it('measures nothing, and has no timer, once it is stopped', async () => {
    const { clock, state, come, runner } = bench();
    await runner.stop();
    come('v3', 10);
    runner.update();
    const record = state.deployment.versions.find(({ id }) => id === 'v3')!;
    expect([runner.analysis(record), clock.waiting]).toEqual([null, 0]);
  });
});
