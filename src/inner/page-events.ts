// Pages that want to hear at once what becomes of their version: /.lockstep/events, server-sent. Each gets its state when
// it comes, and again whenever that changes. Rules:
// - what is said is made once for all pages of one version and session, not for each; a version that is not known is none, or
//   each stream could have a version of its own;
// - so many that it takes a while are written to in several turns: this is the control plane's thread;
// - who does not read is dropped, and so is nobody's memory: an event says all, none is ever repeated.

import type { ServerResponse } from 'node:http';
import type { PageIdentity, PageState } from '../core/page-state.ts';
import { sendProblem } from './answers.ts';
import type { OwnRequest } from './own-request.ts';

export interface PageEventsPorts {
  readonly state: (of: PageIdentity) => PageState;
  /** There is, or was, a version of that id. */
  readonly isKnown: (version: string) => boolean;
  /** Pages at a time; who comes later is told to ask /.lockstep/version now and then. */
  readonly most: () => number;
  /** Silence is ended after so long, so that nobody on the way takes it for death. */
  readonly heartbeatMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

interface Group {
  readonly about: PageIdentity;
  /** The event that its pages should have had last. */
  event: string;
  listeners: number;
}

interface Listener {
  readonly answer: ServerResponse;
  readonly group: Group;
  told: string;
  /** Monotonic ms of the last write. */
  since: number;
}

/** 10 µs each. */
const IN_ONE_TURN = 500;
/** What waits for a page that does not read: some hundred events. */
const MOST_UNREAD = 65_536;
/** Until a page that lost its stream comes again; each waits another time, so that they do not come all at once. */
const RETRY_MS = { least: 1_000, spread: 4_000 };

export class PageEvents {
  readonly #ports: PageEventsPorts;
  readonly #groups = new Map<string, Group>();
  readonly #listeners = new Set<Listener>();
  #sweep: Iterator<Listener> | null = null;
  #isStale = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(ports: PageEventsPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** A request for the stream. */
  open(request: OwnRequest, answer: ServerResponse): void {
    if (this.#listeners.size >= this.#ports.most()) {
      const detail = 'Too many pages listen already. Ask /.lockstep/version instead.';
      sendProblem(answer, 503, 'too-many-listeners', detail, { 'Retry-After': '60' });
      return;
    }
    answer.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no', // nginx in front would gather events until there are 4 KiB
    });
    if (request.method === 'HEAD') {
      answer.end();
      return;
    }
    const { page, pin: session } = request;
    const group = this.#join({ page: page !== null && this.#ports.isKnown(page) ? page : null, session });
    const listener = { answer, group, told: group.event, since: performance.now() };
    this.#listeners.add(listener);
    answer.on('close', () => this.#leave(listener));
    const { least, spread } = RETRY_MS;
    answer.write(`retry: ${Math.round(least + this.#ports.random() * spread)}\n${group.event}`);
    this.#beat();
  }

  /** Something may have changed for somebody. */
  changed(): void {
    for (const group of this.#groups.values()) group.event = this.#eventOf(group.about);
    this.#isStale = this.#sweep !== null;
    if (this.#sweep === null) this.#begin();
  }

  /** All streams end. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { answer } of this.#listeners) answer.end();
  }

  #join(about: PageIdentity): Group {
    const key = keyOf(about);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { about, event: this.#eventOf(about), listeners: 0 };
      this.#groups.set(key, group);
    }
    group.listeners++;
    return group;
  }

  #leave(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return;
    if (--listener.group.listeners === 0) this.#groups.delete(keyOf(listener.group.about));
  }

  #eventOf(about: PageIdentity): string {
    return `event: state\ndata: ${JSON.stringify(this.#ports.state(about))}\n\n`;
  }

  #beat(): void {
    if (this.#timer !== null || this.#listeners.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#sweep === null) this.#begin();
      this.#beat();
    }, this.#ports.heartbeatMs() / 2);
    this.#timer.unref();
  }

  /** Looks at every page once: who has not heard yet is told, who has heard nothing for long gets a sign of life. */
  #begin(): void {
    this.#sweep = this.#listeners.values();
    this.#goOn();
  }

  #goOn(): void {
    const nowMs = performance.now();
    const silentMs = this.#ports.heartbeatMs() / 2;
    for (let looked = 0; looked < IN_ONE_TURN; looked++) {
      const { value: listener, done } = this.#sweep!.next();
      if (done === true) {
        this.#sweep = null;
        break;
      }
      if (listener.told !== listener.group.event) this.#tell(listener, listener.group.event, nowMs);
      else if (nowMs - listener.since >= silentMs) this.#tell(listener, ':\n\n', nowMs);
    }
    if (this.#sweep !== null) setImmediate(() => this.#goOn());
    else if (this.#isStale) this.changed();
  }

  #tell(listener: Listener, text: string, nowMs: number): void {
    const { answer, group } = listener;
    listener.told = group.event;
    listener.since = nowMs;
    if (answer.writableLength > MOST_UNREAD) {
      answer.destroy();
      this.#leave(listener);
    } else answer.write(text);
  }
}

/** No id has a space in it. */
function keyOf({ page, session }: PageIdentity): string {
  return `${page ?? ''} ${session ?? ''}`;
}
