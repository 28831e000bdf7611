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

/** What threads share, and so could do otherwise: by one of the engines in threads, which are the same code around both. */
export function onEveryEngine(suite: Suite): void {
  onEveryParser(suite);
  inThreads(IN_THREADS.slice(0, 1), suite);
}

/** What each engine itself does with what its threads are told: tables, settings, the end. */
export function onEveryEngineAndThread(suite: Suite): void {
  onEveryParser(suite);
  inThreads(IN_THREADS, suite);
}

/** What octets and connections come to is a thread's own business, the same in each: it needs no second one. */
export function onEveryParser(suite: Suite): void {
  for (const engine of ALONE) describe(engine.name, () => suite(engine));
}

function inThreads(engines: readonly EngineUnderTest[], suite: Suite): void {
  for (const engine of engines) describe(`${engine.name} in two threads`, () => suite(engine));
}
