// What every grammar here is made of: slots that nearly always hold what belongs there and seldom something odd, and a
// few octets changed afterwards anywhere. So most cases are almost right, which is where two readers come to differ.

import fc from 'fast-check';

/** `odd` once in `oneIn`. Shrinks to `usual`. */
export function seldom<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, oneIn = 80): fc.Arbitrary<T> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: oneIn - 1, arbitrary: usual },
    { weight: 1, arbitrary: odd },
  );
}

/** A delimiter of the grammar, and what else may stand in its place. */
export function delimiter(usual: string, ...odd: string[]): fc.Arbitrary<string> {
  return seldom(fc.constant(usual), fc.constantFrom(...odd), 150);
}

export const LINE_END = delimiter(
  '\r\n',
  ...['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '\r\n ', '\r\n\t', '', '\0\r\n', ' \r\n', '\x85', '\v\r\n'],
);

/** One octet changed: taken out, put in, put in place of another, or a piece said twice. */
export interface Mutation {
  readonly kind: 'remove' | 'insert' | 'replace' | 'repeat';
  /** Where, in millionths of the text. */
  readonly at: number;
  readonly octet: string;
  readonly length: number;
}

const OCTET = fc.oneof(
  fc.constantFrom(...'\r\n\t\0 :;,=/"\\#?%-+_0159aAfFxX\x0b\x0c\x1f\x7f\x80\x85\xa0\xad\xff'),
  fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
);

export const MUTATION: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'remove', 'repeat'),
  at: fc.integer({ min: 0, max: 999_999 }),
  octet: OCTET,
  length: fc.integer({ min: 1, max: 20 }),
});

/** `text` as it is, or with one to three octets changed. */
export function mutated(text: fc.Arbitrary<string>, oneIn = 5): fc.Arbitrary<string> {
  const none: fc.Arbitrary<readonly Mutation[]> = fc.constant([]);
  const some = fc.array(MUTATION, { minLength: 1, maxLength: 3 });
  return fc
    .tuple(text, seldom(none, some, oneIn))
    .map(([given, mutations]) => mutations.reduce(apply, given));
}

export function apply(text: string, { kind, at, octet, length }: Mutation): string {
  const position = Math.floor((at / 1_000_000) * text.length);
  switch (kind) {
    case 'remove':
      return text.slice(0, position) + text.slice(position + 1);
    case 'insert':
      return text.slice(0, position) + octet + text.slice(position);
    case 'replace':
      return text.slice(0, position) + octet + text.slice(position + 1);
    case 'repeat':
      return text.slice(0, position + length) + text.slice(position);
    default:
      return kind satisfies never;
  }
}

/** Lengths in which bytes arrive; the last one repeats until all is there. */
export const PIECES: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([1_000_000]) },
  { weight: 1, arbitrary: fc.constant([1]) },
  { weight: 2, arbitrary: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }) },
);

/** The same bytes, in pieces. Pieces share no memory with what is changed elsewhere. */
export function* inPieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[Math.min(i, lengths.length - 1)]!;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
