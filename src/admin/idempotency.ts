// A change that is asked for again under the same Idempotency-Key is done once: the answer to the first request is given to
// the second one too, also while the first is still under way (HARDENING M06). Keys are each caller's own.
// Rules: another request under a known key is refused; answers that a repetition may change (5xx, a caller who left) are not
// remembered. What is remembered dies with the process: Idempotency-Age, how long ago the request was first sent, lets a
// gateway that was started since refuse it rather than do it a second time.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblem, badValue } from './problem.ts';

/** Of the draft-ietf-httpapi-idempotency-key-header, but for its quotes, which are taken too. */
const KEY = /^[\x21-\x7e]{1,128}$/;
const AGE = /^\d{1,7}(\.\d{1,3})?$/;
const REMEMBERED_MS = 24 * 3_600_000;
const MOST_ANSWERS = 1_000;
/** A report holds a whole status: of a large deployment, a thousand of them would be a hundred megabytes. */
const MOST_CHARACTERS = 8_388_608;

export const IDEMPOTENCY_HEADERS = {
  'Idempotency-Key':
    'Any text of up to 128 visible characters: the same request with the same key is done once and answered alike, for a day, ' +
    'the last 1,000 of them, and until the gateway restarts.',
  'Idempotency-Age':
    'Seconds since the request was first sent with this key: a gateway that was started since refuses it (409 restarted).',
} as const;

/** What a refusal has in common with a report: an outcome of the control plane. */
type Outcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly problem: { readonly status: number; readonly code: string } };

interface Remembered {
  readonly fingerprint: string;
  readonly atMs: number;
  /** JSON; null while it is under way. */
  text: string | null;
  readonly underWay: Promise<unknown>;
}

export class IdempotentChanges {
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  /** The oldest first. */
  readonly #answers = new Map<string, Remembered>();
  #characters = 0;

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  /** The outcome of `act`, or of the one before it with the key of `request`. `what`: all that the outcome depends on. */
  async once<T extends Outcome>(
    request: FastifyRequest,
    reply: FastifyReply,
    what: unknown,
    act: () => Promise<T>,
  ): Promise<T> {
    const given = readKey(request);
    if (given === null) return act();
    const key = JSON.stringify([request.caller?.name ?? '', given.key]);
    const fingerprint = JSON.stringify([
      request.method,
      request.url,
      request.headers['if-match'] ?? '',
      what,
    ]);
    for (;;) {
      const known = this.#find(key);
      if (known === null) {
        if (given.ageMs > this.#nowMs() - this.#startedAtMs) throw restarted();
        return this.#do(key, fingerprint, act);
      }
      if (known.fingerprint !== fingerprint) throw reused();
      await known.underWay;
      const { text } = known;
      // Null: the first one came to nothing that is to be repeated.
      if (text !== null) {
        reply.header('idempotency-replayed', 'true');
        return JSON.parse(text) as T;
      }
    }
  }

  async #do<T extends Outcome>(key: string, fingerprint: string, act: () => Promise<T>): Promise<T> {
    const outcome = act();
    const underWay = outcome.then(
      () => {},
      () => {},
    );
    const entry: Remembered = { fingerprint, atMs: this.#nowMs(), text: null, underWay };
    this.#answers.set(key, entry);
    try {
      const done = await outcome;
      if (isFinal(done)) this.#remember(entry, JSON.stringify(done));
      return done;
    } finally {
      if (entry.text === null && this.#answers.get(key) === entry) this.#answers.delete(key);
    }
  }

  #find(key: string): Remembered | null {
    const known = this.#answers.get(key);
    if (known === undefined) return null;
    if (known.text === null || this.#nowMs() - known.atMs < REMEMBERED_MS) return known;
    this.#forget(key, known);
    return null;
  }

  #remember(entry: Remembered, text: string): void {
    entry.text = text;
    this.#characters += text.length;
    for (const [key, oldest] of this.#answers) {
      if (this.#answers.size <= MOST_ANSWERS && this.#characters <= MOST_CHARACTERS) return;
      if (oldest.text !== null && oldest !== entry) this.#forget(key, oldest);
    }
  }

  #forget(key: string, { text }: Remembered): void {
    this.#characters -= text?.length ?? 0;
    this.#answers.delete(key);
  }
}

function isFinal(outcome: Outcome): boolean {
  return outcome.ok || (outcome.problem.status < 500 && outcome.problem.code !== 'caller-left');
}

function readKey({ headers }: FastifyRequest): { readonly key: string; readonly ageMs: number } | null {
  const key = headers['idempotency-key'];
  const age = headers['idempotency-age'] ?? '0';
  if (key === undefined) return null;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw badValue([{ path: 'Idempotency-Key', message: 'expected 1 to 128 visible ASCII characters' }]);
  }
  if (typeof age !== 'string' || !AGE.test(age)) {
    throw badValue([{ path: 'Idempotency-Age', message: 'expected seconds, such as 1.5' }]);
  }
  return { key, ageMs: Number(age) * 1_000 };
}

function reused(): ApiProblem {
  return new ApiProblem(
    422,
    'idempotency-key-reused',
    'Another request was made with this Idempotency-Key. Take a new one for each change.',
  );
}

function restarted(): ApiProblem {
  return new ApiProblem(
    409,
    'restarted',
    'This gateway was started after the request was first sent, and cannot tell whether it was done then. Look at the status.',
  );
}
