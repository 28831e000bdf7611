// One browser session of the soak: a cookie jar, the version of its page, and requests whose outcome is reported whatever
// it is. It speaks node:http itself, and not the kit's browser, because the rules need to know how an answer ended.

import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cookieJar } from '../kit/cookie-jar.ts';
import { VERSION_FIELD } from '../kit/upstream.ts';
import type { Outcome } from './rules.ts';

export interface Asking {
  readonly what: Outcome['what'];
  readonly asked: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent piece by piece; with `content-length` among the headers by length, else chunked. */
  readonly body?: Iterable<Buffer>;
  /** Between two pieces, of the body or of the answer. */
  readonly restMs?: number;
  /** What a 2xx must hold. */
  readonly isRight?: (body: Buffer, answer: IncomingMessage) => boolean;
}

export type Report = (outcome: Outcome) => void;

const DOCUMENT = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
  accept: 'text/html',
};
const SUB_REQUEST = { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' };
/** Beyond what the rules allow a request to take: a wait without end becomes an outcome, too. */
const GIVE_UP_MS = 60_000;

interface Answered {
  readonly answer: IncomingMessage | null;
  readonly body: Buffer;
  readonly isWhole: boolean;
  readonly detail: string;
}

export class Visitor {
  /** '' before its first page. */
  page = '';
  readonly #origin: string;
  readonly #report: Report;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 6 });
  readonly #jar = cookieJar();
  readonly #userAgent = `soak/${crypto.randomUUID()}`;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(origin: string, report: Report) {
    this.#origin = origin;
    this.#report = report;
  }

  /** Headers that make a request one of this session. */
  get identity(): Readonly<Record<string, string>> {
    const cookie = this.#jar.headerFor(new URL(this.#origin));
    return { 'user-agent': this.#userAgent, ...(cookie === '' ? {} : { cookie }) };
  }

  /** A navigation with its assets. False when there is no page now: its outcome says why. */
  async load(): Promise<boolean> {
    const { outcome, body } = await this.ask({ what: 'navigation', asked: 'GET /', path: '/' });
    if (outcome.status !== 200 || outcome.end !== 'whole') {
      this.page = '';
      return false;
    }
    this.page = outcome.version;
    const assets = [...body.toString().matchAll(/src="([^"]+)"/g)].map((match) => match[1]!);
    for (const path of assets) await this.ask({ what: 'sub-request', asked: `GET ${path}`, path });
    return true;
  }

  /** Never rejects: what went wrong is in the outcome, which has been reported. */
  async ask(asking: Asking): Promise<{ readonly outcome: Outcome; readonly body: Buffer }> {
    const { what, asked, isRight = () => true } = asking;
    const { page } = this;
    const quietMs = performance.now() - this.#answeredAtMs;
    const startedAtMs = performance.now();
    const { answer, body, isWhole, detail } = await this.#exchange(asking);
    const endedAtMs = performance.now();
    if (answer !== null) {
      this.#answeredAtMs = endedAtMs;
      this.#jar.store(answer.headers['set-cookie'] ?? [], new URL(this.#origin));
    }
    const status = answer?.statusCode ?? 0;
    const version = String(answer?.headers[VERSION_FIELD] ?? '');
    const isJudged = isWhole && status >= 200 && status < 300;
    const outcome: Outcome = {
      what,
      asked,
      startedAtMs,
      endedAtMs,
      page,
      quietMs,
      status,
      version,
      meant: String(answer?.headers['x-lockstep-version'] ?? ''),
      code: String(answer?.headers['x-lockstep-error'] ?? ''),
      end: isWhole ? 'whole' : 'cut',
      isRight: !isJudged || (saysSameVersion(answer!, version) && isRight(body, answer!)),
      detail,
    };
    this.#report(outcome);
    return { outcome, body };
  }

  report(outcome: Outcome): void {
    this.#report(outcome);
  }

  /** How long it has been since this session was last answered. */
  quietMs(): number {
    return performance.now() - this.#answeredAtMs;
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange({ what, method = 'GET', path, headers, body, restMs = 0 }: Asking): Promise<Answered> {
    const kind = what === 'navigation' ? DOCUMENT : { ...SUB_REQUEST, origin: this.#origin };
    return new Promise((resolve) => {
      const parts: Buffer[] = [];
      let answer: IncomingMessage | null = null;
      const done = (isWhole: boolean, detail: string): void =>
        resolve({ answer, body: Buffer.concat(parts), isWhole, detail });
      const outgoing = request(`${this.#origin}${path}`, {
        method,
        headers: { ...kind, ...this.identity, ...headers },
        agent: this.#agent,
        signal: AbortSignal.timeout(GIVE_UP_MS),
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => done(false, error.code ?? error.message));
      outgoing.on('response', (incoming) => {
        answer = incoming;
        void readAll(incoming, parts, restMs).then(
          () => done(true, ''),
          (error: NodeJS.ErrnoException) => done(false, error.code ?? error.message),
        );
      });
      if (body === undefined) outgoing.end();
      else void sendAll(outgoing, body, restMs);
    });
  }
}

/** What the gateway says of an answer is what the application says. */
function saysSameVersion({ headers }: IncomingMessage, version: string): boolean {
  return headers['x-lockstep-version'] === version;
}

async function readAll(incoming: IncomingMessage, parts: Buffer[], restMs: number): Promise<void> {
  for await (const part of incoming) {
    parts.push(part as Buffer);
    if (restMs > 0) await sleep(restMs);
  }
}

async function sendAll(
  outgoing: ReturnType<typeof request>,
  body: Iterable<Buffer>,
  restMs: number,
): Promise<void> {
  for (const part of body) {
    if (outgoing.destroyed) return;
    await new Promise<void>((resolve) => {
      outgoing.once('close', resolve);
      outgoing.write(part, () => {
        outgoing.off('close', resolve);
        resolve();
      });
    });
    if (restMs > 0) await sleep(restMs);
  }
  outgoing.end();
}
