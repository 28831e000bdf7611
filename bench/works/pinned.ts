// Work 1: clients with a pin, an answer of 100 bytes, kept connections.

import type { Work } from '../bench.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall } from '../upstreams.ts';
import { type Case, measureCases, pinnedCookies } from './measured-cases.ts';

export const pinned: Work = {
  name: 'pinned',
  number: 1,
  title: 'pinned GET, 100 B, kept connections',
  run: async (bench) => {
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const expected = { path: SMALL_PATH, body: (version: string) => bodyOf(version, SMALL_BYTES) };
    try {
      await measureCases(bench, pinned, { upstreams, expected, cases: [pinnedCase(32), pinnedCase(512)] });
    } finally {
      await upstreams.stop();
    }
  },
};

export function pinnedCase(connections: number): Case {
  return {
    name: `${connections} connections`,
    plan: { method: 'GET', path: SMALL_PATH, fields: ['Accept: */*'], body: null, connections },
    cookies: pinnedCookies,
  };
}
