// lockstep demo: a sample shop in two versions, the gateway in front of it, and what to try

import { EXIT, type ExitCode } from './failure.ts';
import type { Verb } from './verb.ts';

export const demo: Verb = {
  name: 'demo',
  usage: 'demo',
  summary: 'Starts a sample shop in two versions with the gateway in front, and prints what to try.',
  options: {},
  positionals: [0, 0],
  async run(call) {
    // Only here: the shop is of no use to the other verbs.
    const { runDemo } = await import('../demo/demo.ts');
    const code = await runDemo([...call.positionals]);
    return code === 0 ? EXIT.done : (EXIT.failed satisfies ExitCode);
  },
};
