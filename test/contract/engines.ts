// The engines that keep the contract, in the main thread and in several of their own.

import { describe } from 'vitest';
import { HttpProxyEngine } from '../../src/engine/http-proxy-engine.ts';
import { WireEngine } from '../../src/wire/engine.ts';
import type { EngineUnderTest } from './scene.ts';

const ENGINES: readonly EngineUnderTest[] = [
  { name: 'wire', create: (options, ports) => new WireEngine(options, ports) },
  { name: 'http-proxy', create: (options, ports) => new HttpProxyEngine(options, ports) },
];

/** One suite, run by every engine. */
export function onEveryEngine(suite: (engine: EngineUnderTest) => void): void {
  for (const engine of ENGINES) {
    const title = 'create' in engine ? engine.name : `${engine.name} in ${engine.threads} threads`;
    describe(title, () => suite(engine));
  }
}
