// What is to be set: one step for each version, of all of its servers that are not as they are to be. Pure.
// Steps in this order: first what becomes ready, last what leaves, so that nobody leaves before who takes over is there.

import type { AdminState } from '../core/haproxy.ts';
import { type ClaimedServer, serverKey, type WantedServer } from './wanted-states.ts';

export interface Setting {
  readonly backend: string;
  readonly name: string;
  readonly from: AdminState;
  readonly to: AdminState;
}

export interface Step {
  readonly version: string;
  readonly settings: readonly Setting[];
}

const ORDER: Readonly<Record<AdminState, number>> = { ready: 0, drain: 1, maint: 2 };

/** `found`: as they are. `isDue`: whether one that differs is to be set. */
export function planSteps(
  wanted: readonly WantedServer[],
  found: (key: string) => AdminState | undefined,
  isDue: (server: ClaimedServer) => boolean,
): readonly Step[] {
  const settings = wanted.flatMap(({ server, version, state: to }) => {
    const from = found(serverKey(server));
    if (from === undefined || from === to || !isDue(server)) return [];
    return [{ version, setting: { backend: server.backend, name: server.name, from, to } }];
  });
  const steps = [...Map.groupBy(settings, ({ version }) => version)].map(([version, due]) => ({
    version,
    settings: due.map(({ setting }) => setting).sort((a, b) => ORDER[a.to] - ORDER[b.to]),
  }));
  return steps.sort((a, b) => ORDER[a.settings[0]!.to] - ORDER[b.settings[0]!.to]);
}

export function reversed(settings: readonly Setting[]): readonly Setting[] {
  return settings.map(({ from, to, ...server }) => ({ ...server, from: to, to: from })).reverse();
}
