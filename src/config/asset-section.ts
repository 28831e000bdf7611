// What the file may say of assets: see docs/assets.md.

import * as z from 'zod';
import { mapping } from './mapping.ts';
import { duration, field, flag, size, text } from './readers.ts';

const KIB = 1_024;
const MIB = 1_024 ** 2;
const GIB = 1_024 ** 3;
/** As long as anything that browsers keep. */
const LONGEST_MS = 400 * 24 * 3_600_000;

const ASSET_PATTERN = text(
  'hashed, folders, or a path such as /cdn/* in which * stands for any characters',
  /^(?:hashed|folders|\/[\x21-\x3e\x40-\x7e]{0,255})$/,
);

export const ASSETS = mapping({
  match: z
    .array(field(ASSET_PATTERN))
    .min(1)
    .default(['hashed', 'folders'])
    .describe(
      'Requests for assets. hashed: names that hold a hash of the content; folders: where frameworks put assets, such as /assets/.',
    ),
  memory: mapping({
    maxBytes: field(size(MIB, 1_024 * GIB))
      .prefault('256MiB')
      .describe('On disk; what was of use longest ago goes first.'),
    maxFile: field(size(KIB, GIB)).prefault('8MiB').describe('Of one asset.'),
    maxAge: field(duration(60_000, LONGEST_MS))
      .prefault('720h')
      .describe('Since it was last asked for, or its version took traffic.'),
  })
    .nullable()
    .prefault({ maxBytes: '256MiB', maxFile: '8MiB', maxAge: '720h' })
    .describe(
      'Assets of past versions, kept in the state directory. null: only versions that take traffic are asked.',
    ),
  warm: field(flag)
    .prefault(false)
    .describe(
      'Read the documents of a version (/, and warm.paths) when it is found healthy, and keep what they load, so that it is there before anybody has asked for it.',
    ),
})
  .nullable()
  .prefault({})
  .describe(
    'What becomes of a request for an asset that its version does not have, or whose version is gone. null: nothing.',
  );
