// A way of bringing a web farm from v1 to v2 while people use it, and what it cost them. All begin with web01 to web04 on v1
// and serving, and end with all four on v2 and serving; people come before it begins, and stay until those who saw v1 are gone.

import { startWebFarm, type WebFarm } from '../web-farm.ts';
import type { Operator } from './operator.ts';
import { type Counted, type People, startPeople } from './people.ts';

export const OLD = 'v1';
export const NEW = 'v2';

export interface Way {
  readonly title: string;
  /** A session keeps its server while that is there; where it doesn't, carts get lost all the time. */
  readonly holdsSessions: boolean;
  /** What stands before the farm. */
  stage(farm: WebFarm): Promise<Stage>;
}

export interface Stage {
  /** Where people go. */
  readonly origin: string;
  readonly operator: Operator;
  /** All lines of the operator, from the first to the last. */
  deploy(): Promise<void>;
  stop(): Promise<void>;
}

export interface Outcome extends Counted {
  readonly title: string;
  readonly holdsSessions: boolean;
  readonly seconds: number;
  readonly commands: readonly string[];
  /** The first few of each. */
  readonly failures: readonly string[];
  readonly skews: readonly string[];
  /** Version of each server in the end. */
  readonly versions: readonly string[];
}

const TOLD = 10;

export async function countDeploy(way: Way, size: number): Promise<Outcome> {
  const farm = await startWebFarm({ version: OLD });
  let stage: Stage | null = null;
  let people: People | null = null;
  try {
    stage = await way.stage(farm);
    people = startPeople(stage.origin, size);
    await people.areThere();
    const startedAt = performance.now();
    await stage.deploy();
    const seconds = (performance.now() - startedAt) / 1_000;
    await people.areReplaced();
    await people.stop();
    return {
      title: way.title,
      holdsSessions: way.holdsSessions,
      seconds,
      ...people.counted(),
      commands: stage.operator.typed,
      failures: people.failures().slice(0, TOLD),
      skews: people.skews().slice(0, TOLD),
      versions: farm.servers.map((server) => (server.isRunning() ? server.version() : 'none')),
    };
  } finally {
    await people?.stop();
    await stage?.stop();
    await stage?.operator.leave();
    await farm.stop();
  }
}
