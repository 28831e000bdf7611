// Everything that is measured, in the order of the report.

import { caddy } from './caddy.ts';
import { haproxyBare, haproxyFull } from './haproxy.ts';
import { lockstep, lockstepHttpProxy } from './lockstep.ts';
import { nginx } from './nginx.ts';
import { nodeLibraries } from './node-libraries.ts';
import type { Peer } from './peer.ts';

export const ALL_PEERS: readonly Peer[] = [
  lockstep,
  lockstepHttpProxy,
  haproxyFull,
  haproxyBare,
  nginx,
  caddy,
  ...nodeLibraries,
];
