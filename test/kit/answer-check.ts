// Reads answers as they arrive and checks each octet of their bodies, keeping none of them.

import { answerKey, type BodyOrder } from './body-upstream.ts';
import { checkOctets } from './keyed-pattern.ts';

type State = 'head' | 'octets' | 'size' | 'trailers' | 'closed';

export class AnswerCheck {
  /** Answers that were complete and right. */
  answered = 0;
  /** The last answer said that it was the last one. */
  isLast = false;
  /** Called when something was complete: an answer, or an interim one. */
  onProgress: () => void = () => {};
  continues = 0;
  readonly #orders: BodyOrder[] = [];
  #state: State = 'head';
  #framing: 'length' | 'chunked' | 'close' = 'length';
  #line = '';
  #left = 0;
  #at = 0;

  expect(order: BodyOrder): void {
    this.#orders.push(order);
  }

  /** What is answered now, or next. */
  get next(): BodyOrder | undefined {
    return this.#orders[0];
  }

  get waiting(): number {
    return this.#orders.length;
  }

  /** Throws for whatever is not as it must be. */
  take(data: Buffer): void {
    for (let at = 0; at < data.length; ) {
      if (this.#state === 'closed' || this.#orders.length === 0)
        throw new Error(
          `octets that nobody asked for: ${JSON.stringify(data.toString('latin1', at, at + 80))}`,
        );
      if (this.#state !== 'octets') at = this.#takeLine(data, at);
      else {
        const end = Math.min(data.length, at + this.#left);
        checkOctets(answerKey(this.#orders[0]!.key), this.#at, data.subarray(at, end));
        this.#at += end - at;
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#pieceDone();
      }
    }
  }

  /** The connection has ended. */
  end(): void {
    if (this.#state === 'octets' && this.#framing === 'close') this.#done();
    else if (this.#orders.length > 0)
      throw new Error(
        `the answer to ${this.#orders[0]!.key} was cut at ${this.#at} of ${this.#orders[0]!.down}`,
      );
  }

  /** Heads up to their empty line; sizes and trailers line by line. */
  #takeLine(data: Buffer, from: number): number {
    const found = data.indexOf(10, from);
    const end = found === -1 ? data.length : found + 1;
    this.#line += data.toString('latin1', from, end);
    if (found === -1) return end;
    if (this.#state === 'head') {
      if (this.#line.endsWith('\r\n\r\n')) this.#head();
      return end;
    }
    const line = this.#line;
    this.#line = '';
    if (!/^[^\r\n]*\r\n$/.test(line)) throw new Error(`not a line of a chunk: ${JSON.stringify(line)}`);
    if (this.#state === 'trailers') {
      if (line === '\r\n') this.#done();
    } else if (line !== '\r\n') this.#chunk(line);
    return end;
  }

  #head(): void {
    const head = this.#line;
    this.#line = '';
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
    if (status === 100) {
      this.continues++;
      this.onProgress();
      return;
    }
    if (status !== 200) throw new Error(`no answer to ${this.#orders[0]!.key}: ${JSON.stringify(head)}`);
    this.isLast = /^connection: close\r$/im.test(head);
    this.#at = 0;
    const length = /^content-length: (\d+)\r$/im.exec(head);
    this.#framing = length === null ? (/^transfer-encoding:/im.test(head) ? 'chunked' : 'close') : 'length';
    this.#state = this.#framing === 'chunked' ? 'size' : 'octets';
    this.#left = length === null ? Number.POSITIVE_INFINITY : Number(length[1]);
    if (this.#left === 0) this.#done();
  }

  #chunk(line: string): void {
    if (!/^[0-9a-f]+\r\n$/i.test(line)) throw new Error(`not the size of a chunk: ${JSON.stringify(line)}`);
    this.#left = Number.parseInt(line, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'octets';
  }

  #pieceDone(): void {
    if (this.#framing === 'chunked') this.#state = 'size';
    else this.#done();
  }

  #done(): void {
    const { key, down } = this.#orders.shift()!;
    if (this.#at !== down) throw new Error(`the answer to ${key} had ${this.#at} octets of ${down}`);
    this.#state = this.isLast ? 'closed' : 'head';
    this.answered++;
    this.onProgress();
  }
}
