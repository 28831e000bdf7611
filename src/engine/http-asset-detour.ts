// The http-proxy engine's way past asset memory, as wire/asset-detour.ts is the wire engine's: its version does not have the file,
// or is gone; memory is asked as any upstream is, and where it has nothing, all is as if nobody had been asked. An answer that
// is held waits in its connection, unread.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { answeredByMemory, wantedVersion } from '../core/asset-ask.ts';
import type { FailureCode } from '../core/errors.ts';
import type { Decision } from '../core/route.ts';
import type { HttpContext } from './context.ts';
import type { EngineSettings } from './contract.ts';
import { type ReadAnswer, upstreamFields } from './http-heads.ts';
import type { HttpRequest } from './http-request.ts';
import type { Step } from './placing.ts';
import { type AnswerSink, UpstreamRequest } from './upstream-request.ts';

export interface HttpDetourist extends Pick<AnswerSink, 'onException'> {
  readonly asking: {
    readonly client: { readonly context: HttpContext; readonly socket: Socket };
    readonly settings: EngineSettings;
    readonly request: HttpRequest;
    readonly decision: Decision;
  };
  /** Memory has it, by this decision; `asked` tells the exchange from now on. */
  takeOver(asked: UpstreamRequest, decision: Decision, answer: IncomingMessage): void;
  takeBack(held: HeldRequest): void;
  goOn(step: Step): void;
}

/** Its connection may end meanwhile: that is told later. */
export class HeldRequest {
  readonly #asked: UpstreamRequest;
  readonly #answer: IncomingMessage;
  #failure: { readonly code: FailureCode; readonly detail: string } | null = null;

  constructor(asked: UpstreamRequest, answer: IncomingMessage) {
    this.#asked = asked;
    this.#answer = answer;
    asked.pause();
    asked.handTo(silentSink({ onUpstreamFailed: (code, detail) => (this.#failure = { code, detail }) }));
  }

  get asked(): UpstreamRequest {
    return this.#asked;
  }

  replay(sink: AnswerSink): void {
    this.#asked.handTo(sink);
    sink.onAnswer(this.#answer);
    if (this.#failure !== null) sink.onUpstreamFailed(this.#failure.code, this.#failure.detail);
    else this.#asked.resume();
  }

  drop(): void {
    this.#asked.destroy();
  }
}

/** Memory is told nothing of whose connection it is. */
const NOBODY = { ends: null };

export class HttpAssetDetour {
  /** Nobody knows yet. */
  isUnderWay = true;
  readonly #exchange: HttpDetourist;
  readonly #step: Step | null;
  readonly #wanted: Decision;
  readonly #decision: Decision;
  readonly #asked: UpstreamRequest;
  #held: HeldRequest | null = null;

  /** Before a wait or a refusal. Null when there is no use in it, or memory cannot be asked. */
  static before(step: Step, exchange: HttpDetourist): HttpAssetDetour | null {
    const { client, request, decision } = exchange.asking;
    const mayHelp = client.context.assets?.mayHave(request.facts, request.host, decision, step) === true;
    return mayHelp ? HttpAssetDetour.#begin(exchange, step) : null;
  }

  /** In place of an answer that shows no such file, which is held as long. */
  static instead(
    answer: IncomingMessage,
    { facts: { status } }: ReadAnswer,
    of: UpstreamRequest,
    exchange: HttpDetourist,
  ): HttpAssetDetour | null {
    const { client, request, decision } = exchange.asking;
    const { facts, host } = request;
    if (client.context.assets?.mayHaveInstead(facts, host, decision, status) !== true) return null;
    const detour = HttpAssetDetour.#begin(exchange, null);
    if (detour !== null) detour.#held = new HeldRequest(of, answer);
    return detour;
  }

  static #begin(exchange: HttpDetourist, step: Step | null): HttpAssetDetour | null {
    const { client, request, decision } = exchange.asking;
    const asked = client.context.ports.steering.askMemory(decision);
    return asked === null || request.hasBody ? null : new HttpAssetDetour(exchange, step, asked);
  }

  private constructor(exchange: HttpDetourist, step: Step | null, asked: Decision) {
    const { client, settings, request, decision } = exchange.asking;
    const { deadlines, proxy, agents } = client.context;
    const { limits, cookie } = settings;
    this.#exchange = exchange;
    this.#step = step;
    this.#wanted = decision;
    this.#decision = asked;
    const { id, upstreams } = asked.version!;
    const upstream = upstreams[0]!;
    const fields = upstreamFields(request, asked, upstream, cookie);
    fields['x-lockstep-wanted'] = wantedVersion(decision);
    const sink = silentSink({
      onAnswer: (answer) => this.#onAnswer(answer),
      onUpstreamFailed: () => this.#miss(),
      onException: (error) => exchange.onException(error),
    });
    const { method, target } = request.facts;
    this.#asked = new UpstreamRequest(
      { deadlines, limits, proxy },
      sink,
      {
        upstream,
        agent: agents.of(id, upstream, false, NOBODY),
        method,
        target,
        fields,
        expectsContinue: false,
        maxHeaderSize: limits.responseHead,
        socket: client.socket,
      },
      false,
    );
    this.#asked.end([]);
  }

  /** The request is over. Idempotent. */
  abandon(): void {
    if (this.isUnderWay) this.#asked.destroy();
    this.isUnderWay = false;
    this.#held?.drop();
    this.#held = null;
  }

  #onAnswer(answer: IncomingMessage): void {
    const { client, request } = this.#exchange.asking;
    const { assets, table } = client.context;
    const { statusCode: status = 0, headers } = answer;
    if (status < 400 || status === 412 || status === 416) {
      this.isUnderWay = false;
      this.#held?.drop();
      this.#held = null;
      const owner = headers['x-lockstep-version'];
      const decision = answeredByMemory(this.#decision, typeof owner === 'string' ? owner : '', table);
      this.#exchange.takeOver(this.#asked, decision, answer);
      return;
    }
    if (status === 404) assets?.missed(request.facts, request.host, this.#wanted);
    this.#miss();
  }

  /** The rest of its answer, if any, is read to nobody. */
  #miss(): void {
    if (!this.isUnderWay) return;
    this.isUnderWay = false;
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#exchange.takeBack(held);
    else this.#exchange.goOn(this.#step!);
  }
}

function silentSink(heard: Partial<AnswerSink>): AnswerSink {
  return {
    onException: () => {},
    onUpstreamConnected: () => {},
    onContinue: () => {},
    onInterim: () => {},
    onAnswer: () => {},
    onAnswerData: () => {},
    onAnswerEnd: () => {},
    onSwitching: () => ({}),
    onSwitched: () => {},
    onUpstreamDrain: () => {},
    onUpstreamFailed: () => {},
    ...heard,
  };
}
