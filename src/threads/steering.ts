// Steering out of settings that can cross to a thread, and a clock that all threads agree on.

import { randomBytes } from 'node:crypto';
import { PinKeys } from '../core/pin.ts';
import { GatewaySteering, type SteeringPolicy } from '../core/steering.ts';
import type { DataPlaneSettings, SharedCounts } from './data-plane.ts';

export function createSteering(
  settings: DataPlaneSettings,
  { ledger, gauges }: Pick<SharedCounts, 'ledger' | 'gauges'>,
): GatewaySteering {
  return new GatewaySteering({
    ...steeringPolicy(settings),
    ledger,
    gauges,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
  });
}

export function steeringPolicy(settings: DataPlaneSettings): SteeringPolicy {
  const { pinKeys, affinity, deadPin, protectedPaths } = settings;
  const { cookie, limits } = settings.engine;
  const { upstreamConnections } = limits;
  const keys = new PinKeys(pinKeys, cookie.name, cookie.domain);
  return { cookie, keys, affinity, deadPin, protectedPaths, upstreamConnections };
}
