// What the gateway opens for itself, to servers that want a PROXY header: health checks, warm-ups and copies of assets say that
// they are nobody's, LOCAL in version 2 and UNKNOWN in version 1.

import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAssetAsker } from '../../src/assets/asker.ts';
import { createProbe } from '../../src/control/probe.ts';
import { createWarmAsker } from '../../src/control/warm-asker.ts';
import { binaryHeader } from '../kit/proxy-headers.ts';
import { type Stripper, startStripper } from '../kit/proxy-relays.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const KINDS = [
  { kind: 'v1', header: Buffer.from('PROXY UNKNOWN\r\n') },
  { kind: 'v2', header: binaryHeader({ command: 0x20, family: 0 }) },
] as const;

describe.each(KINDS)('servers that want $kind', ({ kind, header }) => {
  const never = new AbortController().signal;
  let app: Upstream;
  let server: Stripper;
  beforeAll(async () => {
    app = await startUpstream({ version: 'v1' });
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    server = await startStripper(app);
  });
  afterEach(() => server.stop());
  const expectOne = (behind: RegExp): void => {
    expect(server.strange).toEqual([]);
    expect(server.taken.map((one) => one.header)).toEqual([header]);
    expect(server.taken[0]!.behind.toString('latin1')).toMatch(behind);
  };

  test('get it with a health check, in one segment with its request', async () => {
    const finding = await createProbe('/healthz', 5_000).check(server.address, never, () => {}, kind);
    expect(finding).toBeNull();
    expectOne(/^GET \/healthz HTTP\/1\.1\r\n/);
  });

  test('get it with a check that only connects', async () => {
    expect(await createProbe(null, 5_000).check(server.address, never, () => {}, kind)).toBeNull();
    await waitFor(() => server.taken.length > 0, { what: 'the header' });
    expectOne(/^$/);
  });

  test('get it with a request of a warm-up', async () => {
    expect(await createWarmAsker().ask(server.address, '/', never, kind)).toMatchObject({ isError: false });
    expectOne(/^GET \/ HTTP\/1\.1\r\n/);
  });

  test('get it before an asset is asked for, and other versions’ servers do not', async () => {
    const asker = createAssetAsker(
      (host, port) => connect({ host, port }),
      (version) => (version === 'v1' ? kind : undefined),
    );
    const wanted = { method: 'GET', host: '', target: '/assets/a.js', scheme: 'http', fields: {} } as const;
    for (const at of [
      { version: 'v1', address: server.address },
      { version: 'v2', address: app.address },
    ]) {
      const { status, body } = await asker.ask(at.address, { ...wanted, version: at.version }, never);
      await body.dump();
      expect(status).toBe(200);
    }
    await asker.close();
    expect(server.strange).toEqual([]);
    expect(server.taken.map((one) => one.header)).toEqual([header]);
  });
});
