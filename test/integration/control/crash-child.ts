// A control plane that promotes v2, v1, v2, … as fast as it can, and says each epoch that was acknowledged.

import { systemClock } from '../../../src/control/clock.ts';
import { Controller } from '../../../src/control/controller.ts';
import { StateFolder } from '../../../src/control/state-folder.ts';
import { CanaryMeter } from '../../../src/core/canary-meter.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { Ledger } from '../../../src/core/sessions.ts';

const state = await StateFolder.open(process.argv[2]!, { clock: systemClock, onLost: () => {} });
const controller = new Controller({
  state,
  plane: {
    install: async () => {},
    closeUpstreams: () => {},
    abortVersion: () => {},
    closeStreams: () => {},
    availabilityChanged: () => {},
  },
  gauges: new Gauges(),
  ledger: new Ledger({ capacity: 100, idleMs: 60_000, nowMs: systemClock.wallMs() }),
  cookie: { idleMs: 60_000, lifeMs: 3_600_000 },
  drain: {
    graceMs: 0,
    nudgeMs: null,
    navigationMs: null,
    idleMs: null,
    deadlineMs: null,
    protectedPaths: [],
  },
  warm: null,
  analysis: null,
  skew: { header: null, quarantine: false, detect: false },
  affinity: 'none',
  discovery: null,
  meter: new CanaryMeter(1, () => {}),
  health: {
    path: null,
    intervalMs: 60_000,
    timeoutMs: 100,
    rise: 1,
    fall: 1,
    slowStartMs: 0,
    connectFaults: 5,
    answerFaults: 10,
    outForMs: 10_000,
  },
  declared: [
    { id: 'v1', upstreams: ['127.0.0.1:1'] },
    { id: 'v2', upstreams: ['127.0.0.1:2'] },
  ],
  active: 'v1',
  isPinKeyNew: false,
  isListening: () => true,
  threads: () => ({ count: 1, serving: 1, restarts: 0 }),
  log: { info: () => {}, warn: () => {}, error: () => {} },
});
await controller.start();
for (;;) {
  const id = controller.status().active === 'v1' ? 'v2' : 'v1';
  const outcome = await controller.change(
    { verb: 'promote', id, weight: null, force: true },
    { ifMatch: null, dryRun: false, by: 'crash test' },
  );
  process.stdout.write(outcome.ok ? `${outcome.report.epoch}\n` : `refused ${outcome.problem.detail}\n`);
}
