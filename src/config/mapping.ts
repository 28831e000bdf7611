// A mapping of the file: its keys, and no others.

import * as z from 'zod';

/** Its message, of which problems.ts makes "did you mean", is the list of the keys that are known. */
export const mapping = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
  });
