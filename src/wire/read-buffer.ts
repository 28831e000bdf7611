// Memory that a socket reads into again and again. Node's own way is 64 KiB anew for each read, which the kernel must
// clear and the garbage collector free: three quarters of what a large body cost. Rules:
// - what is read stays good until the turn ends, and no longer: whoever keeps octets copies them;
// - a write that did not leave at once still points here: then the owner reads into other memory, or not at all, until it has;
// - memory that is free again is read into again (`SpareBuffers`): made anew, 64 KiB cost 80 µs, since they make V8 look for
//   garbage all over its heap;
// - there is room before and behind what is read, so that a head, a chunk's size and its end are written around a body
//   where it lies, and all of it leaves in one write.

/** Before: a head goes there besides the room of the one that it replaces, or a chunk's size. */
const HEADROOM = 2_048;
/** Behind: the end of a chunk and of a body. */
const TAILROOM = 64;
/** One read. With 16 KiB a download costs a third more than with 64, an upload with 128 a third less; more brings nothing. */
export const READ_BYTES = 131_072;
/**
 * Fewer octets of a read that have to wait are copied: as views, the 64 KiB that a stalled peer is let wait for would hold
 * all of 650 reads, when messages of 100 octets come one by one.
 */
export const SMALL_PART = 16_384;

export class ReadBuffer {
  /** All of it, with the room around. */
  readonly whole: Buffer = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES + TAILROOM);
  /** What a socket reads into. */
  readonly view: Buffer = this.whole.subarray(HEADROOM, HEADROOM + READ_BYTES);

  /** Where `view` begins in `whole`. */
  get start(): number {
    return HEADROOM;
  }
}

/** As many wait for their next user; the rest is left to the garbage collector. */
const MOST_SPARE = 16;

/** Buffers of a thread that nobody uses now. The last one used is the first: it may still be in the processor's cache. */
export class SpareBuffers {
  readonly #spare: ReadBuffer[] = [];

  take(): ReadBuffer {
    return this.#spare.pop() ?? new ReadBuffer();
  }

  /** Nobody may point into it any more. */
  give(buffer: ReadBuffer): void {
    if (this.#spare.length < MOST_SPARE) this.#spare.push(buffer);
  }
}

/**
 * The buffer that writes of one socket still need. Of several one comes back, the others are left to the garbage collector: small
 * parts are copied, so that most of those that a stalled peer makes its upstream leave behind are needed by nobody.
 */
export class LentBuffers {
  readonly #spares: SpareBuffers;
  #lent: ReadBuffer | null = null;

  constructor(spares: SpareBuffers) {
    this.#spares = spares;
  }

  get isEmpty(): boolean {
    return this.#lent === null;
  }

  lend(buffer: ReadBuffer): void {
    this.#lent ??= buffer;
  }

  /** All has left that was written to the socket. */
  takeBack(): void {
    if (this.#lent === null) return;
    this.#spares.give(this.#lent);
    this.#lent = null;
  }
}
