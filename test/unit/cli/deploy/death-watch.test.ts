import { expect, it } from 'vitest';
import { deathWatch } from '../../../../src/cli/deploy/death-watch.ts';
import { version } from '../status-fixtures.ts';

const DEAD_MS = 1_000;
const [upstream] = version('v42').upstreams;
const dead = version('v42', { upstreams: [{ ...upstream!, health: 'down' }] });
const alive = version('v42', { upstreams: [{ ...upstream!, health: 'up' }] });

it.each([
  { name: 'is alive', looks: [[alive, 0] as const, [alive, 10 * DEAD_MS] as const], isOver: false },
  {
    name: 'stumbles',
    looks: [[dead, 0] as const, [alive, DEAD_MS - 1] as const, [dead, DEAD_MS] as const],
    isOver: false,
  },
  { name: 'stays dead', looks: [[dead, 0] as const, [dead, DEAD_MS] as const], isOver: true },
])('a version that $name: over is $isOver', ({ looks, isOver }) => {
  let nowMs = 0;
  const watch = deathWatch(() => nowMs, DEAD_MS);
  const all = () => {
    for (const [seen, atMs] of looks) {
      nowMs = atMs;
      watch.look(seen);
    }
  };
  if (isOver) expect(all).toThrow('no server of v42 is up any more');
  else expect(all).not.toThrow();
});
