// The engines that keep the contract.

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
  describe.each(ENGINES)('$name', suite);
}
