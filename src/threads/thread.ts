// One data-plane thread as the control thread sees it: a worker, what it is asked, and how it ended. It begins nothing by
// itself, and is never begun again: a successor is another Thread.

import { Worker } from 'node:worker_threads';
import type { SeenAsset } from '../core/asset-answer.ts';
import type { UpstreamFault } from '../core/fault.ts';
import type { SkewedPath } from '../observe/skew-tally.ts';
import type { Command, FromThread, ToThread } from './messages.ts';

export interface ThreadPorts {
  /** Whole lines of the access log; the thread sends no more before `left`. */
  readonly onLines: (bytes: Buffer, left: () => void) => void;
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  readonly onAsset: (asset: SeenAsset) => void;
  readonly onSkewed: (paths: readonly SkewedPath[]) => void;
  readonly onWarning: (fields: object, message: string) => void;
  /** Once. Nothing of it runs any more, so that what it counted can be taken away. */
  readonly onEnded: (why: string) => void;
}

/** The answer of a thread that ended before it could give one: it serves nobody, so what was asked of it holds. */
export const ENDED = Symbol('ended');

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** In a clone it is run as it is; in a package there is what it was compiled to. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export class Thread {
  /** It has loaded, or ended. */
  readonly ready: Promise<unknown>;
  readonly #worker: Worker;
  readonly #ports: ThreadPorts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onReady: () => void;
  #nextId = 1;
  #why: string | null = null;
  #hasEnded = false;

  constructor(number: number, ports: ThreadPorts) {
    this.#ports = ports;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#onReady = resolve;
    this.#worker = new Worker(ENTRY, { name: `data-plane-${number}` });
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (error) => {
      this.#why ??= describe(error);
    });
    this.#worker.once('exit', (code) => this.#ended(this.#why ?? `it exited with code ${code}`));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves with its answer, or with ENDED. Rejects when the thread could not do it. */
  ask(command: Command): Promise<unknown> {
    if (this.#hasEnded) return Promise.resolve(ENDED);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ id, command });
    });
  }

  tell(command: Command): void {
    if (!this.#hasEnded) this.#post({ id: 0, command });
  }

  /** At once, whatever it does. Resolves when it has ended. */
  async end(why: string): Promise<void> {
    this.#why ??= why;
    await this.#worker.terminate();
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromThread): void {
    switch (message.told) {
      case 'ready':
        this.#onReady();
        break;
      case 'answer':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'failure':
        this.#take(message.id)?.reject(new Error(message.message));
        break;
      case 'lines': {
        const { buffer, byteOffset, byteLength } = message.bytes;
        const left = () => this.tell({ do: 'lines-left' });
        this.#ports.onLines(Buffer.from(buffer, byteOffset, byteLength), left);
        break;
      }
      case 'upstream-fault':
        this.#ports.onUpstreamFault(message.fault);
        break;
      case 'asset':
        this.#ports.onAsset(message.asset);
        break;
      case 'skewed':
        this.#ports.onSkewed(message.paths);
        break;
      case 'warning':
        this.#ports.onWarning(message.fields, message.message);
        break;
      default:
        message satisfies never;
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #ended(why: string): void {
    this.#hasEnded = true;
    this.#onReady();
    this.#ports.onEnded(why);
    for (const { resolve } of this.#waiting.values()) resolve(ENDED);
    this.#waiting.clear();
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
