// What /metrics says of assets: what is kept of them, how requests for missing ones ended, and what that cost.

import { type Family, one } from './family.ts';

/** As `Assets` counts. */
export interface AssetNumbers {
  readonly hits: { readonly memory: number; readonly other: number; readonly live: number };
  readonly misses: number;
  /** Requests to versions that looked for assets of others. */
  readonly asked: number;
  readonly copies: { readonly kept: number; readonly failed: number };
  /** Null: there is no memory. */
  readonly memory: { readonly bytes: number; readonly maxBytes: number; readonly assets: number } | null;
}

export function assetFamilies(numbers: () => AssetNumbers): Family[] {
  return [
    {
      name: 'lockstep_asset_memory_bytes',
      help: 'What assets that are kept take on disk, as it counts against assets.memory.maxBytes.',
      type: 'gauge',
      read: () => one(numbers().memory?.bytes ?? 0),
    },
    {
      name: 'lockstep_asset_memory_assets',
      help: 'Assets that are kept, of all versions.',
      type: 'gauge',
      read: () => one(numbers().memory?.assets ?? 0),
    },
    {
      name: 'lockstep_asset_hits_total',
      help: 'Requests for assets that their version does not have, or whose version is gone, by who had it: memory (of that version), other (memory of another one), live (a version that takes traffic).',
      type: 'counter',
      read: () =>
        (['memory', 'other', 'live'] as const).map((by) => ({ labels: { by }, value: numbers().hits[by] })),
    },
    {
      name: 'lockstep_asset_misses_total',
      help: 'Requests for assets that nobody had. Those of the next ten seconds for the same one are not counted.',
      type: 'counter',
      read: () => one(numbers().misses),
    },
    {
      name: 'lockstep_asset_searches_total',
      help: 'Requests to versions that looked for the asset of another one.',
      type: 'counter',
      read: () => one(numbers().asked),
    },
    {
      name: 'lockstep_asset_copies_total',
      help: 'Copies for asset memory: kept, and failed (no answer, cut short, too large).',
      type: 'counter',
      read: () =>
        (['kept', 'failed'] as const).map((outcome) => ({
          labels: { outcome },
          value: numbers().copies[outcome],
        })),
    },
  ];
}
