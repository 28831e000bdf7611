// What lockstep does by itself to a deployment, as it is audited and told about. Not an operator's change: the epoch stays.

import type { GatewayEvent } from '../core/status.ts';

export interface Adopted {
  readonly verb: string;
  readonly version: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
  /** In this order, each with the epoch. */
  readonly events: readonly Pick<GatewayEvent, 'type' | 'version' | 'detail'>[];
}
