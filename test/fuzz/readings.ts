// What a reader made of the bytes of one connection: the shape in which ours and Node's are compared.

import { parseConfig } from '../../src/config/load.ts';
import type { Limits } from '../../src/core/policy.ts';
import { chunkEnd, encodeChunk, encodeInPlace } from '../../src/wire/chunked.ts';

export type Field = readonly [name: string, value: string];

export interface ReadMessage {
  /** Of requests; '' in answers. */
  readonly method: string;
  readonly target: string;
  /** Of answers; 0 in requests. */
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
  /** All of it was there. */
  readonly isComplete: boolean;
  /** Another message may follow on the connection. */
  readonly keepsAlive: boolean;
  /** What follows is another protocol. */
  readonly isSwitch: boolean;
}

export interface Reading {
  readonly messages: readonly ReadMessage[];
  /** Why the reader gave up; null when it did not. */
  readonly refused: string | null;
}

/** A message whose body is still being read. */
export interface OpenMessage extends ReadMessage {
  body: string;
  trailers: readonly Field[];
  isComplete: boolean;
}

/** The limits that an operator gets who sets none. */
export const LIMITS: Limits = defaultLimits();

function defaultLimits(): Limits {
  const parsed = parseConfig('listen: 127.0.0.1:0\n', 'fuzz.yaml', {});
  if (!parsed.ok) throw new Error('an empty configuration has limits');
  return parsed.config.limits;
}

/** What a ChunkedReader found, one behind the other. */
export function spanText(buffer: Buffer, spans: readonly number[]): string {
  let text = '';
  for (let i = 0; i < spans.length; i += 2) text += buffer.toString('latin1', spans[i], spans[i + 1]);
  return text;
}

/** As it goes on: in its place where there is room, as the engine does it, else in memory of its own. */
export function chunkText(buffer: Buffer, spans: readonly number[], bytes: number): string {
  const start = encodeInPlace(buffer, spans, bytes);
  if (start === -1) return encodeChunk(buffer, spans, bytes).toString('latin1');
  return buffer.toString('latin1', start, chunkEnd(spans, bytes));
}
