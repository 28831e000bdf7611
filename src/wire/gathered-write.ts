// What one read brings, gathered for the other side and written at once: text, then perhaps a piece of a body that lies
// in the memory it was read into, then text again. Small things leave as one text; around a large piece the texts are written into
// the room beside it, so that nothing is copied and one system call carries all. As several buffers (writev) a head and a
// small body cost 3 µs more than as one text.

import { SMALL_PART } from './read-buffer.ts';

/** Where it goes: the socket of a client or an upstream. */
export interface WriteTarget {
  /** False when the other side needs a rest. A Buffer must stay as it is until `hasUnsent` is false. */
  write(data: Buffer | string): boolean;
  cork(): void;
  uncork(): void;
  readonly hasUnsent: boolean;
}

/** Octets of a piece that are copied into the text; longer ones are written where they lie. */
const COPY_BELOW = 4_096;

export class GatheredWrite {
  readonly #target: WriteTarget;
  #before = '';
  #whole: Buffer | null = null;
  #start = 0;
  #end = 0;
  #after = '';

  constructor(target: WriteTarget) {
    this.#target = target;
  }

  /** latin1. */
  text(text: string): void {
    if (this.#whole === null) this.#before += text;
    else this.#after += text;
  }

  /**
   * What stands in `whole` before `start` may be written over, and behind `end` as far as the text goes that follows: where
   * something lies there that is still to be read, that text is no longer than what it stands for.
   */
  piece(whole: Buffer, start: number, end: number): void {
    if (this.#whole !== null) this.flush();
    if (end - start < COPY_BELOW) {
      this.#before += whole.toString('latin1', start, end);
      return;
    }
    this.#whole = whole;
    this.#start = start;
    this.#end = end;
  }

  /** False when the other side needs a rest. */
  flush(): boolean {
    const whole = this.#whole;
    const before = this.#before;
    this.#before = '';
    if (whole === null) return before === '' ? true : this.#target.write(before);
    const after = this.#after;
    this.#after = '';
    this.#whole = null;
    const isInPlace = before.length <= this.#start && this.#end + after.length <= whole.length;
    if (!isInPlace) return this.#writeApart(before, whole.subarray(this.#start, this.#end), after);
    const start = this.#start - before.length;
    if (before !== '') whole.write(before, start, 'latin1');
    if (after !== '') whole.write(after, this.#end, 'latin1');
    return this.#write(whole.subarray(start, this.#end + after.length));
  }

  /** What has to queue is copied when it is small: a view would keep all of `whole` for it, and many of them queue. */
  #write(octets: Buffer): boolean {
    const isSmall = octets.length < SMALL_PART && this.#target.hasUnsent;
    return this.#target.write(isSmall ? Buffer.from(octets) : octets);
  }

  #writeApart(before: string, piece: Buffer, after: string): boolean {
    this.#target.cork();
    if (before !== '') this.#target.write(before);
    let isReady = this.#write(piece);
    if (after !== '') isReady = this.#target.write(after);
    this.#target.uncork();
    return isReady;
  }
}
