// Who is there at the same time: so many of each kind, each replaced by the next one when it leaves.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, seededRandom } from '../kit/random.ts';
import { type Client, downloader, faultSeeker, person, type Scene, slowReader, uploader } from './clients.ts';
import { leaver } from './leavers.ts';
import { eventReader, socket } from './streams.ts';

interface Kind {
  readonly client: Client;
  readonly count: number;
}

const KINDS: readonly Kind[] = [
  { client: person, count: 16 },
  { client: uploader, count: 3 },
  { client: downloader, count: 2 },
  { client: slowReader, count: 3 },
  { client: faultSeeker, count: 2 },
  { client: leaver, count: 6 },
  { client: socket, count: 8 },
  { client: eventReader, count: 4 },
];

/** Between two clients of one place, so that a gateway that is away is not asked in a loop. */
const PAUSE_MS = 30;

export interface Crowd {
  /** Resolves when everybody has left. Rejects when a client itself is broken. */
  goHome(): Promise<void>;
}

export function startCrowd(scene: Omit<Scene, 'isOver' | 'random'>, seed: number): Crowd {
  let isOver = false;
  const seeds = seededRandom(seed);
  const stand = async (client: Client, random: Random): Promise<void> => {
    while (!isOver) {
      await client({ ...scene, random, isOver: () => isOver });
      await sleep(PAUSE_MS);
    }
  };
  const everybody = Promise.all(
    KINDS.flatMap(({ client, count }) =>
      Array.from({ length: count }, () => stand(client, seededRandom(Math.floor(seeds() * 2 ** 32)))),
    ),
  );
  everybody.catch(() => {
    isOver = true;
  });
  return {
    goHome: () => {
      isOver = true;
      return everybody.then(() => {});
    },
  };
}
