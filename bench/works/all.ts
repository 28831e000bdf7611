// Everything that there is to measure, in the order of the report.

import type { Work } from '../bench.ts';
import { addedLatency } from './added-latency.ts';
import { browserPages } from './browser-pages.ts';
import { changes } from './changes.ts';
import { features } from './features.ts';
import { largeBodies } from './large-bodies.ts';
import { memory } from './memory.ts';
import { newConnections } from './new-connections.ts';
import { newSessions } from './new-sessions.ts';
import { pinned } from './pinned.ts';
import { scaling } from './scaling.ts';
import { webSockets } from './websockets.ts';

export const ALL_WORKS: readonly Work[] = [
  pinned,
  browserPages,
  newSessions,
  newConnections,
  largeBodies,
  addedLatency,
  webSockets,
  scaling,
  memory,
  changes,
  features,
];
