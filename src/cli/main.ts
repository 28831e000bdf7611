// The command `lockstep`. Everything but the process itself is in run.ts.

import { outlivesReader, run } from './run.ts';
import { processTerminal } from './terminal.ts';

/** Runs one command and ends the process with its exit code. */
export async function main(argv: string[]): Promise<void> {
  if (outlivesReader(argv)) {
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  } else {
    // `lockstep status | head`: who reads has read enough.
    process.stdout.on('error', (error: NodeJS.ErrnoException) =>
      process.exit(error.code === 'EPIPE' ? 0 : 1),
    );
  }
  const code = await run(argv, processTerminal());
  // Idle keep-alive connections to the admin API are not waited for; what was printed is.
  await new Promise((written) => process.stdout.write('', written));
  process.exit(code);
}
