// Work 4: a new connection for each request.

import type { Work } from '../bench.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall } from '../upstreams.ts';
import { measureCases, pinnedCookies } from './measured-cases.ts';

export const newConnections: Work = {
  name: 'new-connections',
  number: 4,
  title: 'pinned GET, 100 B, a new connection for each request',
  run: async (bench) => {
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const expected = { path: SMALL_PATH, body: (version: string) => bodyOf(version, SMALL_BYTES) };
    const fields = ['Accept: */*', 'Connection: close'];
    const plan = { method: 'GET', path: SMALL_PATH, fields, body: null, connections: 32 };
    const cases = [{ name: '32 at a time', plan, cookies: pinnedCookies }];
    try {
      await measureCases(bench, newConnections, { upstreams, expected, cases });
    } finally {
      await upstreams.stop();
    }
  },
};
