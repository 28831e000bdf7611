// Reads test/corpus: the cases, their bytes and their first verdicts. See test/corpus/README.md for the fields.

import { readFileSync } from 'node:fs';

export interface RequestCase {
  readonly id: string;
  readonly desc: string;
  readonly half: boolean;
  readonly bytes: Buffer;
  /** The verdict of the wire engine. */
  readonly want: string;
}

export interface ResponseCase {
  readonly id: string;
  readonly desc: string;
  readonly method: string;
  readonly after: 'keep' | 'close' | 'rst';
  readonly bytes: Buffer;
  readonly want: string;
}

interface Line {
  readonly id: string;
  readonly desc: string;
  readonly printf: string;
  readonly expect: string;
}

export function requestCases(): readonly RequestCase[] {
  return read<Line & { half: boolean }>('requests.jsonl').map((line) => ({
    ...common(line),
    half: line.half,
  }));
}

export function responseCases(): readonly ResponseCase[] {
  return read<Line & { method: string; after: ResponseCase['after'] }>('responses.jsonl').map((line) => ({
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

function common({ id, desc, printf, expect }: Line): Pick<RequestCase, 'id' | 'desc' | 'bytes' | 'want'> {
  return { id, desc, bytes: bytesOf(printf), want: expect.split('|')[0]! };
}
