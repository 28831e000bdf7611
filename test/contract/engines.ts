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
/** Beside each other: for suites that mostly wait, and in which nobody is judged by being quick. */
type Order = 'in turn' | 'beside each other';

/** What threads share, and so could do otherwise: by one of the engines in threads, which are the same code around both. */
export function onEveryEngine(suite: Suite, order: Order = 'in turn'): void {
  onEach([...ALONE, ...IN_THREADS.slice(0, 1)], suite, order);
}

/** What each engine itself does with what its threads are told: tables, settings, the end. */
export function onEveryEngineAndThread(suite: Suite, order: Order = 'in turn'): void {
  onEach([...ALONE, ...IN_THREADS], suite, order);
}

/** What octets and connections come to is a thread's own business, the same in each: it needs no second one. */
export function onEveryParser(suite: Suite, order: Order = 'in turn'): void {
  onEach(ALONE, suite, order);
}

function onEach(engines: readonly EngineUnderTest[], suite: Suite, order: Order): void {
  for (const engine of engines) {
    const title = 'threads' in engine ? `${engine.name} in two threads` : engine.name;
    // Only the engines: the tests of one share what their hooks set up.
    const each = () => void describe('in turn', { concurrent: false }, () => suite(engine));
    if (order === 'in turn') describe(title, () => suite(engine));
    else describe(title, { concurrent: true }, each);
  }
}
