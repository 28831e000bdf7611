// Copies of listening sockets that were inherited: all threads accept from one queue, and the end of a thread closes its own
// descriptor only. Node cannot duplicate one, but it can send one to another process and back: a child is given the sockets
// and returns each as often as is wanted (130 ms, once at the start and once after each thread that died).

import { fileURLToPath } from 'node:url';
import type { ListenAddress } from '../engine/contract.ts';

const COPIER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './socket-copier.ts' : './socket-copier.js', import.meta.url),
);
/** A busy machine may take its time to start a process. */
const PATIENCE_MS = 30_000;

/** What the child sends beside each copy. */
export interface Copied {
  /** Of which of the sockets. */
  readonly at: number;
}

export interface SocketCopiesPorts {
  /** There may be too few for the next thread. */
  readonly onFailure: (error: unknown) => void;
}

export class SocketCopies {
  readonly #fds: readonly number[];
  readonly #threads: number;
  readonly #ports: SocketCopiesPorts;
  /** Ready, each with a copy of every socket. */
  readonly #sets: (readonly number[])[] = [];
  #isMaking = false;

  /** For so many threads, and as many successors at a time. Rejects when they cannot be made. */
  static async make(
    fds: readonly number[],
    threads: number,
    ports: SocketCopiesPorts,
  ): Promise<SocketCopies> {
    const copies = new SocketCopies(fds, threads, ports);
    copies.#sets.push(...(await copiesOf(fds, 2 * threads)));
    return copies;
  }

  /** Only `make` makes one. */
  private constructor(fds: readonly number[], threads: number, ports: SocketCopiesPorts) {
    this.#fds = fds;
    this.#threads = threads;
    this.#ports = ports;
  }

  /** The addresses for one thread, which closes what it is given. Throws when there is none left; more are being made. */
  take(listen: readonly ListenAddress[]): readonly ListenAddress[] {
    const set = this.#sets.pop();
    if (this.#sets.length < this.#threads) void this.#makeMore();
    if (set === undefined) throw new Error('there is no copy yet of the sockets that were inherited');
    return listen.map((address) =>
      address.fd === undefined ? address : { ...address, fd: set[this.#fds.indexOf(address.fd)]! },
    );
  }

  async #makeMore(): Promise<void> {
    if (this.#isMaking) return;
    this.#isMaking = true;
    try {
      this.#sets.push(...(await copiesOf(this.#fds, this.#threads)));
    } catch (error) {
      this.#ports.onFailure(error);
    }
    this.#isMaking = false;
  }
}

/** `count` sets, each with a descriptor of its own for each of `fds`. */
async function copiesOf(fds: readonly number[], count: number): Promise<readonly (readonly number[])[]> {
  const sets: number[][] = Array.from({ length: count }, () => []);
  const received = fds.map(() => 0);
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(process.execPath, [COPIER, String(fds.length), String(count)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...fds],
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  child.on('message', ({ at }: Copied, handle) => {
    // The handle is never closed here: its descriptor is the thread's that gets it.
    const { fd } = handle as unknown as { readonly fd: number };
    sets[received[at]!++]![at] = fd;
    if (received.every((copies) => copies === count)) child.disconnect();
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  if (received.some((copies) => copies !== count)) throw new Error('the sockets could not be copied');
  return sets;
}
