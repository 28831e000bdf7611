// A request for an asset on its way past asset memory: its version does not have the file, or is gone. Memory is asked as any
// upstream is (core/own.ts). What it has is the exchange's answer; where it has nothing, all is as if nobody had been asked.
//
//   before, instead ── ask ──┬── found: takeOver, and the exchange is told the rest of the answer
//                            └── missing or failed: goOn, or takeBack of the answer that was held

import { answeredByMemory, wantedVersion } from '../core/asset-ask.ts';
import type { Decision } from '../core/route.ts';
import type { Step } from '../engine/placing.ts';
import type { AnswerHead } from './answer-head.ts';
import type { WireContext } from './context.ts';
import { HeldAnswer } from './held-answer.ts';
import type { KnownHead } from './known-head.ts';
import type { LentBuffers } from './read-buffer.ts';
import type { ReadRequest } from './request-facts.ts';
import type { AnswerSink, UpstreamConnection } from './upstream-connection.ts';

/** The exchange that goes this way. */
export interface Detourist extends Pick<AnswerSink, 'onException' | 'onReadEnd'> {
  readonly asking: {
    readonly context: WireContext;
    readonly request: ReadRequest;
    readonly head: KnownHead;
    readonly decision: Decision;
  };
  /** Memory has it, by this decision. `connection` tells the exchange from now on; this is its answer's head. */
  takeOver(connection: UpstreamConnection, decision: Decision, head: AnswerHead): void;
  takeBack(held: HeldAnswer): void;
  goOn(step: Step): void;
}

/** Memory is told nothing of whose connection it is. */
const NOBODY = { ends: null };

export class AssetDetour implements AnswerSink {
  /** Nobody knows yet. */
  isUnderWay = true;
  readonly #exchange: Detourist;
  readonly #wanted: Decision;
  readonly #asked: Decision;
  readonly #connection: UpstreamConnection;
  readonly #step: Step | null;
  #held: HeldAnswer | null = null;

  /** Before a wait or a refusal. Null when there is no use in it, or memory cannot be asked. */
  static before(step: Step, exchange: Detourist): AssetDetour | null {
    const { context, request, decision } = exchange.asking;
    const mayHelp = context.assets?.mayHave(request.facts, request.host, decision, step) === true;
    return mayHelp ? AssetDetour.#begin(exchange, step) : null;
  }

  /** In place of an answer that shows no such file, which is held as long. */
  static instead(head: AnswerHead, of: UpstreamConnection, exchange: Detourist): AssetDetour | null {
    const { context, request, decision } = exchange.asking;
    const { facts, host } = request;
    if (context.assets?.mayHaveInstead(facts, host, decision, head.status) !== true) return null;
    const detour = AssetDetour.#begin(exchange, null);
    if (detour !== null) detour.#held = new HeldAnswer(head, of);
    return detour;
  }

  static #begin(exchange: Detourist, step: Step | null): AssetDetour | null {
    const { context, request, decision } = exchange.asking;
    const asked = context.ports.steering.askMemory(decision);
    if (asked === null || request.hasBody) return null;
    const { id, upstreams } = asked.version!;
    const connection = context.pools.take(id, upstreams[0]!, false, NOBODY);
    return connection === null ? null : new AssetDetour(exchange, step, asked, connection);
  }

  private constructor(
    exchange: Detourist,
    step: Step | null,
    asked: Decision,
    connection: UpstreamConnection,
  ) {
    const { request, head, decision } = exchange.asking;
    this.#exchange = exchange;
    this.#step = step;
    this.#wanted = decision;
    this.#asked = asked;
    this.#connection = connection;
    const wanted = `x-lockstep-wanted: ${wantedVersion(decision)}\r\n`;
    connection.ask(this, request.facts.method, false, false);
    connection.write(head.headFor(request, asked, connection.upstream, wanted));
  }

  /** The request is over. Idempotent. */
  abandon(): void {
    if (this.isUnderWay) this.#connection.destroy();
    this.isUnderWay = false;
    this.#held?.drop();
    this.#held = null;
  }

  // AnswerSink

  onAnswerHead(head: AnswerHead): void {
    const { context, request } = this.#exchange.asking;
    if (head.status < 400 || head.status === 412 || head.status === 416) {
      this.isUnderWay = false;
      this.#held?.drop();
      this.#held = null;
      const decision = answeredByMemory(this.#asked, head.owner, context.table);
      this.#exchange.takeOver(this.#connection, decision, head);
      return;
    }
    if (head.status === 404) context.assets?.missed(request.facts, request.host, this.#wanted);
    this.#miss();
  }

  onUpstreamFailed(): void {
    this.#miss();
  }

  onException(error: unknown): void {
    this.#exchange.onException(error);
  }

  onReadEnd(): LentBuffers | null {
    // What came may be the exchange's by now.
    return this.isUnderWay ? null : this.#exchange.onReadEnd();
  }

  onAnswerEnd(): void {}
  onAnswerText(): void {}
  onAnswerData(): void {}
  onAnswerChunks(): void {}
  onInterimHead(): void {}
  onSwitched(): void {}
  onUpstreamConnected(): void {}
  onUpstreamDrain(): void {}
  onTunnelData(): void {}
  onTunnelEnd(): void {}

  /** The rest of its answer, if any, is read to nobody, and the connection serves on. */
  #miss(): void {
    if (!this.isUnderWay) return;
    this.isUnderWay = false;
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#exchange.takeBack(held);
    else this.#exchange.goOn(this.#step!);
  }
}
