import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configurationPage } from '../../../scripts/docs.ts';
import { TOP_LEVEL_KEYS } from '../../../src/config/schema.ts';

const page = configurationPage();
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

describe('docs/configuration.md', () => {
  it('is what npm run docs writes', () => {
    const committed = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    expect(committed, 'the schema has changed: npm run docs').toBe(page);
  });

  it('has every top-level key, as a row or as a heading', () => {
    const missing = TOP_LEVEL_KEYS.filter(
      (key) => !page.includes(`\n## \`${key}\`\n`) && !page.includes(`\n| \`${key}\` |`),
    );
    expect(missing).toEqual([]);
  });

  it('says of every key what it takes, its default and what it means', () => {
    expect(rows.length).toBeGreaterThan(60);
    const empty = rows.filter(([, ...cells]) => cells.slice(0, 4).some((cell) => cell === ''));
    expect(empty.map(([, key]) => key)).toEqual([]);
  });

  it.each([
    { name: 'a duration', given: 'cookie.idle', want: ['a duration from 1s to 9600h', '`30m`'] },
    { name: 'one of a few words', given: 'cookie.sameSite', want: ['auto, lax or none', '`auto`'] },
    {
      name: 'a list',
      given: 'trustedProxies',
      want: [expect.stringMatching(/^a list, each a network/), '`[]`'],
    },
    {
      name: 'what may be null',
      given: 'drain.deadline',
      want: [expect.stringMatching(/, or null$/), '`12h`'],
    },
    {
      name: 'what must be given',
      given: 'admin.tokens[].role',
      want: ['viewer or operator', 'none, must be given'],
    },
    {
      name: 'a mapping in a mapping',
      given: 'listen[].tls.cert',
      want: ['the name of a file', 'none, must be given'],
    },
  ])('shows $name', ({ given, want }) => {
    const row = rows.find(([, key]) => key === `\`${given}\``);
    expect(row?.slice(2, 4)).toEqual(want);
  });
});
