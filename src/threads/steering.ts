// Steering out of settings that can cross to a thread, and a clock that all threads agree on.

import { innerOf } from '../core/own.ts';
import { PinKeys } from '../core/pin.ts';
import { PreviewKeys } from '../core/preview.ts';
import { GatewaySteering, type SteeringPolicy } from '../core/steering.ts';
import type { DataPlaneSettings, SharedCounts } from './data-plane.ts';
import { RandomPool } from './random-pool.ts';

export function createSteering(
  settings: DataPlaneSettings,
  { ledger, gauges }: Pick<SharedCounts, 'ledger' | 'gauges'>,
): GatewaySteering {
  const randomPool = new RandomPool();
  return new GatewaySteering({
    ...steeringPolicy(settings),
    ledger,
    gauges,
    random: Math.random,
    randomBytes: (count) => randomPool.take(count),
  });
}

export function steeringPolicy(settings: DataPlaneSettings): SteeringPolicy {
  const { pinKeys, affinity, deadPin, protectedPaths, markers, scope } = settings;
  const inner = settings.inner === null ? null : innerOf(settings.inner);
  const { cookie, limits } = settings.engine;
  const { upstreamConnections } = limits;
  const keys = new PinKeys(pinKeys, cookie.name, cookie.domain);
  const previews = new PreviewKeys(pinKeys, cookie.name, cookie.domain);
  const pins = { cookie, keys, previews, affinity, deadPin, protectedPaths };
  const { detectsSkew = false } = settings;
  return { ...pins, markers, scope, detectsSkew, upstreamConnections, inner };
}
