// The chunked coding, RFC 9112 §7.1, read strictly and written anew. The reader is a resumable machine over whatever
// pieces arrive: it checks every octet of sizes, extensions, line ends and trailers, and tells where the data is. Chunk
// extensions are checked, bounded and dropped; trailers that speak of framing, routing or cookies are dropped.

import { isTokenChar, isValueChar } from '../engine/characters.ts';
import { mayBeTrailer } from '../engine/field-names.ts';
import { FieldBlock } from './field-block.ts';

const CR = 13;
const LF = 10;

export interface ChunkLimits {
  /** Octets of extensions of one chunk. */
  readonly chunkExt: number;
  readonly trailers: number;
  readonly headers: number;
}

/** Hex digits of a size, leading zeros included. 2^53-1 has 14. */
const MAX_DIGITS = 16;

type State =
  | 'size'
  | 'extension-name'
  | 'extension-name-rest'
  | 'extension-value'
  | 'extension-token'
  | 'extension-quoted'
  | 'extension-escaped'
  | 'extension-end'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailers'
  | 'done'
  | 'failed';

export class ChunkedReader {
  /** Where the data of the last `read` lies in its buffer: start, end, start, end, … */
  readonly spans: number[] = [];
  /** Octets in `spans`. */
  spanBytes = 0;
  /** Trailer lines that may pass on, each with its CRLF; '' for none. Complete once `isDone`. */
  trailers = '';
  readonly #limits: ChunkLimits;
  #state: State = 'size';
  #digits = 0;
  #size = 0;
  #extension = 0;
  #trailerText = '';

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  get hasFailed(): boolean {
    return this.#state === 'failed';
  }

  /**
   * Reads what stands in [start, limit); returns the position after what belongs to this body. Data is in `spans` even
   * when it failed later.
   */
  read(buffer: Buffer, start: number, limit = buffer.length): number {
    this.spans.length = 0;
    this.spanBytes = 0;
    let at = start;
    while (at < limit && this.#state !== 'done' && this.#state !== 'failed') {
      if (this.#state === 'data') at = this.#takeData(at, limit);
      else if (this.#state === 'trailers') at = this.#takeTrailers(buffer, at, limit);
      else this.#state = this.#step(buffer[at++]!);
    }
    return at;
  }

  #takeData(at: number, limit: number): number {
    const end = Math.min(limit, at + this.#size);
    this.spans.push(at, end);
    this.spanBytes += end - at;
    this.#size -= end - at;
    if (this.#size === 0) this.#state = 'data-cr';
    return end;
  }

  #step(c: number): State {
    switch (this.#state) {
      case 'size':
        return this.#sizeDigit(c);
      case 'size-lf':
        return c === LF ? this.#beginData() : 'failed';
      case 'data-cr':
        return c === CR ? 'data-lf' : 'failed';
      case 'data-lf':
        return c === LF ? 'size' : 'failed';
      default:
        return ++this.#extension > this.#limits.chunkExt ? 'failed' : this.#extensionStep(c);
    }
  }

  #sizeDigit(c: number): State {
    const digit = hexDigit(c);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits > MAX_DIGITS || this.#size > Number.MAX_SAFE_INTEGER ? 'failed' : 'size';
    }
    if (this.#digits === 0) return 'failed';
    return this.#afterExtension(c);
  }

  #beginData(): State {
    this.#digits = 0;
    this.#extension = 0;
    return this.#size === 0 ? 'trailers' : 'data';
  }

  /** chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ), RFC 9112 §7.1.1, without the BWS that nobody sends. */
  #extensionStep(c: number): State {
    switch (this.#state) {
      case 'extension-name':
        return isTokenChar(c) ? 'extension-name-rest' : 'failed';
      case 'extension-name-rest':
        if (isTokenChar(c)) return 'extension-name-rest';
        return c === 0x3d ? 'extension-value' : this.#afterExtension(c);
      case 'extension-value':
        if (c === 0x22) return 'extension-quoted';
        return isTokenChar(c) ? 'extension-token' : 'failed';
      case 'extension-token':
        return isTokenChar(c) ? 'extension-token' : this.#afterExtension(c);
      case 'extension-quoted':
        if (c === 0x22) return 'extension-end';
        if (c === 0x5c) return 'extension-escaped';
        return isValueChar(c) ? 'extension-quoted' : 'failed';
      case 'extension-escaped':
        return isValueChar(c) ? 'extension-quoted' : 'failed';
      default:
        return this.#afterExtension(c);
    }
  }

  #afterExtension(c: number): State {
    if (c === CR) return 'size-lf';
    return c === 0x3b ? 'extension-name' : 'failed';
  }

  /** Trailers are rare and small: gathered as text until their empty line is there, then read like any field block. */
  #takeTrailers(buffer: Buffer, start: number, limit: number): number {
    const found = buffer.indexOf(LF, start);
    const lineFeed = found < limit ? found : -1;
    const end = lineFeed === -1 ? limit : lineFeed + 1;
    this.#trailerText += buffer.toString('latin1', start, end);
    const text = this.#trailerText;
    if (text.length > this.#limits.trailers) this.#state = 'failed';
    // Looked into at the end of a line only: each look copies together what has been gathered.
    else if (lineFeed !== -1) {
      if (!text.endsWith('\r\n')) this.#state = 'failed';
      else if (text.length === 2 || text.endsWith('\r\n\r\n')) this.#finishTrailers();
    }
    return end;
  }

  #finishTrailers(): void {
    if (this.#trailerText.length === 2) {
      this.#state = 'done';
      return;
    }
    const block = new FieldBlock();
    if (block.read(this.#trailerText, 0, this.#trailerText.length, this.#limits.headers, false) !== null) {
      this.#state = 'failed';
      return;
    }
    for (let i = 0; i < block.count; i++) {
      if (mayBeTrailer(block.name(i))) this.trailers += `${block.line(i)}\r\n`;
    }
    this.#state = 'done';
  }
}

/**
 * The data of the reader's last read as one chunk: its size is written before it and its end behind it, where the reader
 * has been already, and the data of several chunks moves together, so that 100,000 one-byte chunks cost no 100,000 writes
 * (HARDENING T14). Answers where the chunk begins in `buffer`; it ends at `chunkEnd`. -1 when there is no room for that.
 */
export function encodeInPlace(buffer: Buffer, spans: readonly number[], bytes: number): number {
  const size = `${bytes.toString(16)}\r\n`;
  const start = spans[0]! - size.length;
  const end = spans[0]! + bytes;
  if (start < 0 || end + 2 > buffer.length) return -1;
  moveTogether(buffer, spans);
  buffer.write(size, start, 'latin1');
  buffer[end] = CR;
  buffer[end + 1] = LF;
  return start;
}

/** Where what `encodeInPlace` made ends. */
export function chunkEnd(spans: readonly number[], bytes: number): number {
  return spans[0]! + bytes + 2;
}

/** The data of the reader's last read as one chunk of its own memory. */
export function encodeChunk(buffer: Buffer, spans: readonly number[], bytes: number): Buffer {
  const size = `${bytes.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + bytes + 2);
  let at = chunk.write(size, 0, 'latin1');
  for (let i = 0; i < spans.length; i += 2) at += buffer.copy(chunk, at, spans[i]!, spans[i + 1]!);
  chunk[at] = CR;
  chunk[at + 1] = LF;
  return chunk;
}

/** The data of all spans behind one another, from where the first one begins. Nothing moves over what is still to move. */
export function moveTogether(buffer: Buffer, spans: readonly number[]): void {
  let at = spans[1]!;
  for (let i = 2; i < spans.length; i += 2) {
    buffer.copyWithin(at, spans[i]!, spans[i + 1]!);
    at += spans[i + 1]! - spans[i]!;
  }
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
