// Reads test/corpus: the cases, their bytes and their first verdicts. See test/corpus/README.md for the fields. The fixed
// set and our own additions are read apart: figures beside other gateways are of the fixed set alone.

import { readFileSync } from 'node:fs';

export interface RequestCase {
  readonly id: string;
  readonly desc: string;
  readonly half: boolean;
  readonly bytes: Buffer;
  /** The verdict of the wire engine. */
  readonly want: string;
  /** That one, and those that would do as well. */
  readonly lawful: readonly string[];
  /** What the upstream must have seen, where the case is about that; null in the fixed set. */
  readonly seen: Seen | null;
}

export interface ResponseCase {
  readonly id: string;
  readonly desc: string;
  readonly method: string;
  readonly after: 'keep' | 'close' | 'rst';
  readonly bytes: Buffer;
  readonly want: string;
  readonly lawful: readonly string[];
  /** What the client must have seen. */
  readonly seen: Seen | null;
}

/** Of the message on the other side of the gateway. */
export interface Seen {
  readonly body?: string;
  readonly target?: string;
  readonly status?: number;
  /** A field's name, and its values line by line. */
  readonly field?: readonly [name: string, ...values: string[]];
  /** Names, lower case, of fields that are there. */
  readonly has?: readonly string[];
  /** Names, lower case, that no field and no trailer has. */
  readonly absent?: readonly string[];
}

interface Line {
  readonly id: string;
  readonly desc: string;
  readonly printf: string;
  readonly expect: string;
  readonly seen?: Seen;
}

/** The fixed set. */
export function requestCases(): readonly RequestCase[] {
  return requestsOf('requests.jsonl');
}

export function responseCases(): readonly ResponseCase[] {
  return responsesOf('responses.jsonl');
}

/** What we added. */
export function ownRequestCases(): readonly RequestCase[] {
  return requestsOf('own-requests.jsonl');
}

export function ownResponseCases(): readonly ResponseCase[] {
  return responsesOf('own-responses.jsonl');
}

function requestsOf(file: string): readonly RequestCase[] {
  return read<Line & { half: boolean }>(file).map((line) => ({ ...common(line), half: line.half }));
}

function responsesOf(file: string): readonly ResponseCase[] {
  return read<Line & { method: string; after: ResponseCase['after'] }>(file).map((line) => ({
    ...common(line),
    method: line.method,
    after: line.after,
  }));
}

/** The bytes of a `printf` field. */
export function bytesOf(printf: string): Buffer {
  const repeated = printf.replace(/@(\d+)@([^@]*)@/g, (_, times: string, part: string) =>
    part.repeat(Number(times)),
  );
  const text = repeated.replace(/%%|\\(x[0-9a-fA-F]{2}|.)/g, (match, code: string | undefined) => {
    if (match === '%%') return '%';
    if (code!.startsWith('x')) return String.fromCharCode(Number.parseInt(code!.slice(1), 16));
    const plain = { r: '\r', n: '\n', t: '\t', '\\': '\\' }[code!];
    if (plain === undefined) throw new Error(`unknown escape ${match} in ${printf.slice(0, 80)}`);
    return plain;
  });
  return Buffer.from(text, 'latin1');
}

function read<T>(file: string): readonly T[] {
  const text = readFileSync(new URL(`../corpus/${file}`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

function common({ id, desc, printf, expect, seen }: Line): Omit<RequestCase, 'half'> {
  const lawful = expect.split('|');
  return { id, desc, bytes: bytesOf(printf), want: lawful[0]!, lawful, seen: seen ?? null };
}
