// Health of an upstream, from its checks: `rise` successes in a row bring a down one up, `fall` failures in a row bring
// an up one down. The first check of an unknown upstream decides alone, whichever way it goes: after one round of checks
// it is known of every upstream whether a version may be promoted, and a dead one gets no requests.

import type { Health } from './gauges.ts';
import type { HealthPolicy } from './policy.ts';

export interface HealthState {
  readonly health: Health;
  /** Checks in a row that spoke against `health`. */
  readonly against: number;
}

export const INITIAL_HEALTH: HealthState = Object.freeze({ health: 'unknown', against: 0 });

const UP: HealthState = Object.freeze({ health: 'up', against: 0 });
export const DOWN: HealthState = Object.freeze({ health: 'down', against: 0 });

/** `changed`: the health is another one than before. */
export function stepHealth(
  state: HealthState,
  ok: boolean,
  { rise, fall }: Pick<HealthPolicy, 'rise' | 'fall'>,
): { readonly state: HealthState; readonly changed: boolean } {
  const found = ok ? UP : DOWN;
  if (state.health === found.health) return { state: found, changed: false };
  const against = state.against + 1;
  const needed = state.health === 'unknown' ? 1 : ok ? rise : fall;
  if (against >= needed) return { state: found, changed: true };
  return { state: { health: state.health, against }, changed: false };
}
