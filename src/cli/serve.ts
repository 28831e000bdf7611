// lockstep serve --config FILE: the gateway, until SIGTERM or SIGINT. A second signal ends it at once; SIGHUP has it read
// its file again.

import { EXIT } from './failure.ts';
import { growOldGenerationSlowly, holdYoungGeneration } from './heap.ts';
import { requiredText, type Verb } from './verb.ts';

/** npm, or a wrapper, passes on a signal that its sender gave to the whole group already: one Ctrl-C, two signals. */
const SAME_SIGNAL_MS = 300;

export const serve: Verb = {
  name: 'serve',
  usage: 'serve --config FILE',
  summary: 'Runs the gateway.',
  options: { config: { type: 'string', value: 'FILE', completes: { kind: 'file' }, help: 'the YAML file' } },
  positionals: [0, 0],
  async run(call) {
    const configFile = requiredText(call, 'config');
    const { takeInheritedSockets } = await import('../inherited-sockets.ts');
    const inherited = takeInheritedSockets(process.env, process.pid);
    growOldGenerationSlowly();
    const releaseYoungGeneration = holdYoungGeneration();
    const { startGateway } = await import('../main.ts');
    const asked = firstSignal();
    const hangups = countHangups();
    const gateway = await startGateway({ configFile, inherited });
    releaseYoungGeneration();
    hangups.follow(() => void gateway.reload('SIGHUP'));
    // It can also stop by itself, when another gateway took its state; its log says why.
    const isAsked = await Promise.race([asked.then(() => true), gateway.closed.then(() => false)]);
    await gateway.stop();
    return isAsked ? EXIT.done : EXIT.failed;
  },
};

/** Resolves with the first signal, also when it comes while the gateway still starts. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | null = null;
    const onSignal = () => {
      const now = performance.now();
      if (firstAtMs === null) {
        firstAtMs = now;
        resolve();
      } else if (now - firstAtMs > SAME_SIGNAL_MS) {
        process.exit(EXIT.failed);
      }
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** One that comes while the gateway still starts would end the process: it may be about a file that was read before it. */
function countHangups(): { follow(reload: () => void): void } {
  let early = 0;
  let onHangup = () => {
    early++;
  };
  process.on('SIGHUP', () => onHangup());
  return {
    follow(reload) {
      onHangup = reload;
      if (early > 0) reload();
    },
  };
}
