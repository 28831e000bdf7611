// V10 and V09: what the application is told about the client is the gateway's word. A client's own X-Forwarded-*,
// Forwarded, X-Real-IP and X-Lockstep-*, their twins with underscores and their other spellings, do not get through,
// unless the client is a trusted proxy; and no `Connection` option removes what the gateway or the application needs.

import { afterEach, describe, expect, test } from 'vitest';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

let scene: TwoVersions | undefined;
afterEach(async () => {
  await scene?.stop();
  scene = undefined;
});

const LIES = [
  'X-Forwarded-For: 6.6.6.6',
  'x-forwarded-for: 6.6.6.7',
  'X_Forwarded_For: 6.6.6.8',
  'X-Forwarded_For: 6.6.6.9',
  'X-Forwarded-Proto: https',
  'X_Forwarded_Proto: https',
  'X-Forwarded-Host: evil.example',
  'X-FORWARDED-PORT: 666',
  'Forwarded: for=6.6.6.6;host=evil.example',
  'X-Real-IP: 6.6.6.6',
  'X_Real_IP: 6.6.6.6',
  'X-Lockstep-Session: stolen',
  'X_Lockstep_Session: stolen',
  'x-lockstep-anything: 1',
  'X_Lockstep_Version: v2',
];

/** Names in lower case; equal ones as a list. */
function fieldsSeen({ v1 }: TwoVersions): Record<string, readonly string[]> {
  const raw = v1.requests.at(-1)!.rawHeaders;
  const fields: Record<string, string[]> = {};
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    fields[name] = [...(fields[name] ?? []), raw[at + 1]!];
  }
  return fields;
}

describe('V10: fields that only a proxy may set', () => {
  test('are removed or overwritten when a client sends them', async () => {
    scene = await startTwoVersions();
    const pin = pinOf({ version: 'v1' });
    expect((await rawRequest(scene.gateway, [...LIES, `Cookie: lockstep=${pin}`])).status).toBe(200);
    const seen = fieldsSeen(scene);
    expect(seen['x-forwarded-for']).toEqual(['127.0.0.1']);
    expect(seen['x-forwarded-proto']).toEqual(['http']);
    expect(seen['x-forwarded-host']).toEqual(['shop.example']);
    expect(seen['x-lockstep-version']).toEqual(['v1']);
    expect(seen['x-lockstep-session']).toEqual([pin.split('~')[1]]);
    expect(JSON.stringify(seen)).not.toMatch(/6\.6\.6|evil|stolen|666|anything|https/);
    expect(Object.keys(seen).filter((name) => name.includes('_'))).toEqual([]);
  });

  test('are believed from a trusted proxy, and the peer is added on the right', async () => {
    scene = await startTwoVersions({ more: { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] } });
    await rawRequest(scene.gateway, [
      // What stands left of the first address that is not trusted, anybody can have written.
      'X-Forwarded-For: 6.6.6.6, 8.8.8.8, 10.1.1.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: real.example',
    ]);
    const seen = fieldsSeen(scene);
    expect(seen['x-forwarded-for']?.join(', ')).toBe('8.8.8.8, 10.1.1.1, 127.0.0.1');
    expect(seen['x-forwarded-proto']).toEqual(['https']);
    expect(seen['x-forwarded-host']).toEqual(['real.example']);
  });

  test('an underscore in any other name is left alone', async () => {
    scene = await startTwoVersions();
    await rawRequest(scene.gateway, ['my_own_field: 1']);
    expect(fieldsSeen(scene)['my_own_field']).toEqual(['1']);
  });
});

describe('V09: a Connection option', () => {
  test.each(['cookie', 'x-lockstep-version', 'x-forwarded-for', 'host', 'x-lockstep-session'])(
    'that names %s takes nothing away',
    async (name) => {
      scene = await startTwoVersions();
      await scene.gateway.admin.promote('v2');
      const pin = `lockstep=${pinOf({ version: 'v1' })}`;
      const answer = await rawRequest(scene.gateway, [`Connection: ${name}, close`, `Cookie: ${pin}`]);
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
      const seen = fieldsSeen(scene);
      expect(seen['cookie']).toEqual([pin]);
      expect(seen['x-forwarded-for']).toEqual(['127.0.0.1']);
      expect(seen['x-lockstep-version']).toEqual(['v1']);
      expect(seen['host']).toHaveLength(1);
    },
  );

  test('that names a field of its own takes that one away', async () => {
    scene = await startTwoVersions();
    await rawRequest(scene.gateway, ['Connection: x-mine, close', 'X-Mine: 1', 'X-Other: 2']);
    const seen = fieldsSeen(scene);
    expect(seen['x-mine']).toBeUndefined();
    expect(seen['x-other']).toEqual(['2']);
  });
});
