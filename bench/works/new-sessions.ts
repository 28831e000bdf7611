// Work 3: clients without a pin, each of which gets one.

import type { Work } from '../bench.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall } from '../upstreams.ts';
import { measureCases } from './measured-cases.ts';

export const newSessions: Work = {
  name: 'new-sessions',
  number: 3,
  title: 'GET without a pin: one is minted',
  run: async (bench) => {
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const expected = { path: SMALL_PATH, body: (version: string) => bodyOf(version, SMALL_BYTES) };
    const fields = ['Accept: */*'];
    const plan = { method: 'GET', path: SMALL_PATH, fields, body: null, connections: 32 };
    const cases = [{ name: '32 connections', plan, cookies: () => [] }];
    try {
      await measureCases(bench, newSessions, { upstreams, expected, cases });
    } finally {
      await upstreams.stop();
    }
  },
};
