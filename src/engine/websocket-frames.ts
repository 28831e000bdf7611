// Where WebSocket frames begin and end (RFC 6455 §5.2) in one direction of a tunnel: no payload is looked at. Needed to
// put a close frame between two frames and never into one.

/** Close frame from a server, unmasked, with status 1012 "service restart". */
export const CLOSE_1012 = Buffer.from([0x88, 0x02, 0x03, 0xf4]);

/** 2 octets, up to 8 of length, up to 4 of mask. */
const MAX_HEADER = 14;

export class FrameBoundaries {
  readonly #header = Buffer.alloc(MAX_HEADER);
  #headerLength = 0;
  #payloadLeft = 0;

  /** The octets passed so far end with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#headerLength === 0 && this.#payloadLeft === 0;
  }

  /** The octets of [start, end). */
  pass(data: Buffer, start = 0, end = data.length): void {
    let at = start;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= taken;
        at += taken;
        continue;
      }
      this.#header[this.#headerLength++] = data[at++]!;
      if (this.#headerLength === this.#headerSize()) {
        this.#payloadLeft = this.#payloadSize();
        this.#headerLength = 0;
      }
    }
  }

  #headerSize(): number {
    if (this.#headerLength < 2) return MAX_HEADER;
    const length = this.#header[1]! & 0x7f;
    const mask = (this.#header[1]! & 0x80) === 0 ? 0 : 4;
    return 2 + mask + (length === 126 ? 2 : length === 127 ? 8 : 0);
  }

  #payloadSize(): number {
    const length = this.#header[1]! & 0x7f;
    if (length === 126) return this.#header.readUInt16BE(2);
    if (length === 127) return Number(this.#header.readBigUInt64BE(2));
    return length;
  }
}
