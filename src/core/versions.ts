// INTERFACE: to be completed by the core/versions work.
export const VERSION_STATES = [
  'staged',
  'canary',
  'active',
  'draining',
  'drained',
  'retired',
  'cut off',
] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/** The verbs operators have, as transitions see them: `canary` is promote with a weight below 100. */
export type Verb = 'promote' | 'canary' | 'drain' | 'rollback' | 'retire' | 'cutoff' | 'delete';

export const VERSION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
