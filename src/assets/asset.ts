// What is remembered of an asset: one version's answer to one scheme, host and path, in each content coding that was to be had.

import type { SeenAsset } from '../core/asset-answer.ts';

/** One coding of it: the octets, by their digest, and the fields that go with them. */
export interface Representation {
  /** gzip, br; '' for none. */
  readonly coding: string;
  /** SHA-256 of the octets, in hexadecimal: where they lie, and what they must be. */
  readonly body: string;
  /** Octets. */
  readonly length: number;
  /** As it came; '' for none. */
  readonly etag: string;
  readonly lastModified: string;
  /** Names and values by turns: of what is kept, all but the two above. */
  readonly fields: readonly string[];
}

export interface Asset extends SeenAsset {
  /** It is right for requests without any of these fields. */
  readonly varying: readonly string[];
  /** Ms since the Unix epoch. */
  readonly keptAt: number;
  /** One at least; without a coding first. */
  readonly representations: readonly Representation[];
}

/** Answer fields that are kept: what the octets are, who may read them, how long they hold. All else is of its moment. */
export const KEPT_FIELDS: ReadonlySet<string> = new Set([
  'content-type',
  'content-language',
  'content-disposition',
  'cache-control',
  'expires',
  'vary',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'timing-allow-origin',
  'cross-origin-resource-policy',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'content-security-policy',
  'referrer-policy',
  'permissions-policy',
  'x-content-type-options',
  'x-frame-options',
  'strict-transport-security',
  'service-worker-allowed',
  'sourcemap',
  'x-sourcemap',
]);
