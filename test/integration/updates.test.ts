// What pages are told of their version and of a newer one, by /.lockstep/version when they ask and by /.lockstep/events at
// once: through promote, nudge, deadline, rollback, drained and cut off, as an operator brings them about. None of it keeps
// a session alive or holds up a drain.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PageState } from '../../src/core/page-state.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { type Listening, type ListeningPage, listenToEvents } from '../kit/page-events.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const SETUPS: readonly { readonly name: string; readonly more: Readonly<Record<string, unknown>> }[] = [
  { name: 'wire', more: {} },
  { name: 'http-proxy in two threads', more: { threads: 2, engine: 'http-proxy' } },
];

describe.each(SETUPS)('with $name', ({ more }) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  let v1: Upstream;
  let v2: Upstream;
  let gateway: TestGateway;
  beforeEach(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    cleanUp.push(
      () => v1.stop(),
      () => v2.stop(),
    );
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const start = async (settings: GatewaySettings = {}): Promise<void> => {
    gateway = await startGateway({
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      ...settings,
      more: { ...more, ...settings.more },
    });
    cleanUp.push(() => gateway.stop());
  };
  const pinOf = async (): Promise<string> => {
    const answer = await httpRequest(gateway.url, { headers: { accept: 'text/html' } });
    return answer.setCookies[0]!.split(';')[0]!;
  };
  const ask = async (headers: Record<string, string> = {}, query = ''): Promise<PageState> =>
    (await httpRequest(`${gateway.url}/.lockstep/version${query}`, { headers })).json<PageState>();
  const listen = async (how: Listening): Promise<ListeningPage> => {
    const page = await listenToEvents(gateway.url, how);
    cleanUp.push(() => page.close());
    await waitFor(() => page.states.length > 0, { what: 'the first event' });
    return page;
  };
  const toldThat = (
    page: ListeningPage,
    is: (state: PageState) => boolean,
    what: string,
  ): Promise<PageState> =>
    waitFor(() => (is(page.states.at(-1)!) ? page.states.at(-1)! : null), { what, timeoutMs: 20_000 });

  test('a page learns of a newer version, of its end, and that all is taken back', async () => {
    await start({ drain: { nudge: '0s', deadline: '1h' } });
    const cookie = await pinOf();
    expect(await ask({ cookie, 'x-lockstep-version': 'v1' })).toEqual({
      page: 'v1',
      session: 'v1',
      newest: 'v1',
      state: 'active',
      endsAt: null,
      update: null,
      gone: false,
      moves: false,
    });
    const page = await listen({ page: 'v1', headers: { cookie } });
    expect(page).toMatchObject({ status: 200, contentType: 'text/event-stream' });
    expect(page.retryMs()).toBeGreaterThanOrEqual(1_000);

    await gateway.admin.promote('v2');
    const draining = await toldThat(page, ({ state }) => state === 'draining', 'the drain to be told');
    const { deadline } = (await gateway.admin.version('v1')).drain!;
    expect(draining).toEqual({
      page: 'v1',
      session: 'v1',
      newest: 'v2',
      state: 'draining',
      endsAt: deadline,
      update: 'v2',
      gone: false,
      moves: false,
    });
    // The page is nudged by its answers too, and who asks is told the same.
    const answer = await httpRequest(`${gateway.url}/api/x`, {
      headers: { cookie, 'x-lockstep-version': 'v1' },
    });
    expect(answer.headers['x-lockstep-update']).toBe('v2');
    expect(await ask({ cookie }, '?v=v1')).toEqual(draining);
    // A tab that has gone on to the newest is not, whatever its session's other tabs are.
    expect(await ask({ cookie }, '?v=v2')).toMatchObject({
      page: 'v2',
      state: 'active',
      endsAt: null,
      update: null,
    });

    await gateway.admin.rollback('keep');
    const back = await toldThat(page, ({ state }) => state === 'active', 'the rollback to be told');
    expect(back).toMatchObject({ newest: 'v1', endsAt: null, update: null });
    expect(await ask({ cookie }, '?v=v2')).toMatchObject({ newest: 'v1', state: 'draining', update: 'v1' });

    await gateway.admin.cutoff('v1', 'for the test', 'v2');
    const gone = await toldThat(page, ({ state }) => state === 'cut off', 'the cut-off to be told');
    expect(gone).toMatchObject({ newest: 'v2', endsAt: null, gone: true, moves: true });
    expect(page.ended()).toBeNull();
  });

  test('a page is nudged when the ladder comes to it, not before', async () => {
    await start({ drain: { nudge: '2s', deadline: '1h' } });
    const cookie = await pinOf();
    const page = await listen({ page: 'v1', headers: { cookie } });
    await gateway.admin.promote('v2');
    expect(await toldThat(page, ({ state }) => state === 'draining', 'the drain')).toMatchObject({
      update: null,
    });
    await toldThat(page, ({ update }) => update === 'v2', 'the nudge');
    const { step } = (await gateway.admin.version('v1')).drain!;
    expect(step).toBe('nudge');
  });

  test('a page that only asks and listens holds up no drain, and hears that it is over', async () => {
    await start({ cookie: { idle: '1s' }, drain: { deadline: null } });
    const cookie = await pinOf();
    await httpRequest(`${gateway.url}/api/x`, { headers: { cookie } });
    const page = await listen({ page: 'v1', headers: { cookie } });
    await gateway.admin.promote('v2');
    expect((await gateway.admin.version('v1')).sessions).toMatchObject({ live: 1, confirmed: 1 });
    await waitFor(
      async () => {
        expect((await ask({ cookie, 'x-lockstep-version': 'v1' })).session).toBe('v1');
        return page.states.at(-1)!.state === 'drained';
      },
      { what: 'the drain to end', timeoutMs: 20_000, everyMs: 100 },
    );
    expect(page.states.at(-1)).toMatchObject({ page: 'v1', newest: 'v2', endsAt: null });
    expect((await gateway.admin.version('v1')).sessions.streams).toBe(0);
    expect(page.ended()).toBeNull();
  });

  test('nothing there is cached, pinned, or shown to who asks for what is staged', async () => {
    await start();
    const answer = await httpRequest(`${gateway.url}/.lockstep/version`, {
      headers: { accept: 'text/html' },
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.setCookies).toEqual([]);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.json()).toEqual({
      page: null,
      session: null,
      newest: 'v1',
      state: null,
      endsAt: null,
      update: null,
      gone: false,
      moves: false,
    });
    expect(await ask({}, '?v=v2')).toMatchObject({ page: 'v2', state: null });
    expect((await httpRequest(`${gateway.url}/.lockstep/nothing`)).status).toBe(404);
  });

  test('streams end whole when the gateway stops, without waiting for them', async () => {
    await start();
    const pages = await Promise.all(Array.from({ length: 5 }, () => listen({ page: 'v1' })));
    await gateway.stop(2_000);
    await waitFor(() => pages.every((page) => page.ended() !== null), { what: 'the streams to end' });
    expect(pages.map((page) => page.ended())).toEqual(pages.map(() => 'whole'));
  });
});
