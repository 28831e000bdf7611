// One value of the configuration that is printed, and the line of HAProxy's that says it.

import type { Place } from './place.ts';

export interface Entry {
  readonly key: string;
  readonly value: string | number | null | readonly string[];
  readonly from: Place;
  /** What that line says, in a few words. */
  readonly says: string;
}
