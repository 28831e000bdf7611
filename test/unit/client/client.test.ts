import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { buildClient, CLIENT_FILE } from '../../../scripts/client.ts';

describe('the committed client.js', () => {
  const committed = readFileSync(CLIENT_FILE, 'utf8');

  it('is what its sources say: `npm run client` writes it', async () => {
    expect(committed).toBe(await buildClient());
  });

  it('takes less than 2 KiB compressed', () => {
    expect(gzipSync(committed, { level: 9 }).length).toBeLessThan(2_048);
  });

  it('is one function that is called, and one line', () => {
    expect(committed).toMatch(/^\(\(\)=>\{.*\}\)\(\);\n$/);
  });
});
