// A data plane that writes down what it is told, in order. Tables are told as `install <epoch>: <new sessions> | <pinned>`.

import type { DataPlane } from '../../../src/control/data-plane.ts';
import type { RoutingTable } from '../../../src/core/table.ts';

export interface RecordingPlane extends DataPlane {
  readonly calls: string[];
  readonly tables: RoutingTable[];
  /** Awaited within each install: what it throws, the data plane throws. */
  onInstall: (table: RoutingTable) => unknown;
}

export function recordingPlane(): RecordingPlane {
  const calls: string[] = [];
  const tables: RoutingTable[] = [];
  const plane: RecordingPlane = {
    calls,
    tables,
    onInstall: () => {},
    install: async (table) => {
      const shares = table.shares.map(({ version, upTo }) => `${version.id}<${upTo}`).join(' ');
      const pinned = [...table.versions.values()].filter(({ takesPinned }) => takesPinned);
      const told = `${table.epoch}: ${shares} | ${pinned.map(({ id }) => id).join(' ')}`;
      calls.push(`install ${told}`);
      tables.push(table);
      await plane.onInstall(table);
      calls.push(`acknowledged ${table.epoch}`);
    },
    closeUpstreams: (version, address) => calls.push(`closeUpstreams ${version} ${address ?? '*'}`),
    abortVersion: (version) => calls.push(`abortVersion ${version}`),
    closeStreams: (version, which, jitterMs) => calls.push(`closeStreams ${version} ${which} ${jitterMs}`),
    availabilityChanged: () => calls.push('availabilityChanged'),
  };
  return plane;
}
