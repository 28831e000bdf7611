// The engines that keep the contract, in the main thread and in several of their own.

import { describe } from 'vitest';
import { HttpProxyEngine } from '../../src/engine/http-proxy-engine.ts';
import { WireEngine } from '../../src/wire/engine.ts';
import type { EngineUnderTest } from './scene.ts';

const ALONE: readonly EngineUnderTest[] = [
  { name: 'wire', create: (options, ports) => new WireEngine(options, ports) },
  { name: 'http-proxy', create: (options, ports) => new HttpProxyEngine(options, ports) },
];
const IN_THREADS: readonly EngineUnderTest[] = ALONE.map(({ name }) => ({ name, threads: 2 }));

type Suite = (engine: EngineUnderTest) => void;

/** One suite, run by every engine, and in several threads by every engine. */
export function onEveryEngine(suite: Suite): void {
  onEveryParser(suite);
  for (const engine of IN_THREADS) describe(`${engine.name} in two threads`, () => suite(engine));
}

/** What octets come to is a thread's own business, the same in each: thousands of cases that need no second thread. */
export function onEveryParser(suite: Suite): void {
  for (const engine of ALONE) describe(engine.name, () => suite(engine));
}
