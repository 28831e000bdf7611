import { describe, expect, it } from 'vitest';
import { corpus, mutateCorpus } from '../../fuzz/corpus-loop.ts';
import { SEED } from '../../kit/seed.ts';

describe(`mutants of the corpus (seed ${SEED})`, () => {
  it('crash nothing, end, and are read alike by all readers and in all pieces', { timeout: 60_000 }, () => {
    const { accepted } = mutateCorpus({ runs: 6_000, seed: SEED, isGuided: false });
    expect(accepted, 'mutants are often still valid').toBeGreaterThan(200);
  });

  it('begin with all of it', () => {
    expect(corpus().length).toBeGreaterThan(130);
  });
});
