import { describe, expect, it } from 'vitest';
import { newRecord, readRecord, usualPath } from '../../../../src/cli/deploy/journal.ts';
import type { DeployWish } from '../../../../src/cli/deploy/wish.ts';

describe('the journal', () => {
  it('lies in the state directory of the user, another for each gateway', () => {
    const at = (admin: string, env: Record<string, string>) => usualPath(admin, env);
    expect(at('http://gw:9090', { XDG_STATE_HOME: '/s', HOME: '/h' })).toMatch(
      /^\/s\/lockstep\/deploy\/http-gw-9090-[0-9a-f]{8}\.json$/,
    );
    expect(at('unix:/run/a.sock', { HOME: '/h' })).toMatch(
      /^\/h\/\.local\/state\/lockstep\/deploy\/unix-run/,
    );
    // XDG: a relative path is to be ignored.
    expect(at('http://gw:9090', { XDG_STATE_HOME: 's', HOME: '/h' })).toMatch(/^\/h\/\.local/);
    expect(at('http://gw:9090', {})).toBeNull();
    expect(at('http://gw:9090', { HOME: '/h' })).not.toBe(at('http://gw/9090', { HOME: '/h' }));
  });

  it('is read as it was written', () => {
    const wish = { version: 'v42' } as DeployWish;
    const record = newRecord('http://gw', wish, [{ name: 'web03', address: 'h:1' }], 'v41', 0);
    expect(readRecord(JSON.stringify(record), 'j')).toEqual(record);
    expect(readRecord(null, 'j')).toBeNull();
  });

  it.each(['', '{', 'null', '[]', '{"format":2}', '{"format":1,"wish":{}}'])('is refused as %j', (text) => {
    expect(() => readRecord(text, 'j')).toThrow(/j is no journal/);
  });
});
