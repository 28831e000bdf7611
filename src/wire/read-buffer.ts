// Memory that a socket reads into again and again. Node's own way is 64 KiB anew for each read, which the kernel must
// clear and the garbage collector free: three quarters of what a large body cost. Rules:
// - what is read stays good until the turn ends, and no longer: whoever keeps octets copies them;
// - a write that did not leave at once still points here: then the owner takes new memory (`renew`), and the old one
//   goes when the write has;
// - there is room before and behind what is read, so that a head, a chunk's size and its end are written around a body
//   where it lies, and all of it leaves in one write.

/** Before: a head goes there besides the room of the one that it replaces, or a chunk's size. */
const HEADROOM = 2_048;
/** Behind: the end of a chunk and of a body. */
const TAILROOM = 64;
/** One read. Node's own size; with 16 KiB a download costs a third more. */
export const READ_BYTES = 65_536;
/**
 * Fewer octets of a read that have to wait are copied: as views, the 64 KiB that a stalled peer is let wait for would hold
 * all of 650 reads, when messages of 100 octets come one by one.
 */
export const SMALL_PART = READ_BYTES / 4;

export class ReadBuffer {
  /** All of it, with the room around. */
  whole: Buffer;
  /** What a socket reads into. */
  view: Buffer;

  constructor() {
    this.whole = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES + TAILROOM);
    this.view = this.whole.subarray(HEADROOM, HEADROOM + READ_BYTES);
  }

  /** Where `view` begins in `whole`. */
  get start(): number {
    return HEADROOM;
  }

  /** Somebody still needs what was read. */
  renew(): void {
    this.whole = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES + TAILROOM);
    this.view = this.whole.subarray(HEADROOM, HEADROOM + READ_BYTES);
  }
}
