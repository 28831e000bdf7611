// Pages ask the gateway for their version, with curl in their place: what it answers and streams while an operator with a
// token promotes and rolls back, what it doesn't serve there, and that nothing of the operator's side shows. Then a thousand
// pages listen at once, hear of a promote all together, and are let go when the gateway stops.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PageState } from '../../src/core/page-state.ts';
import { type Crowd, startCrowd } from '../kit/connection-crowd.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { type ListeningPage, listenToEvents } from '../kit/page-events.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const TOKEN = 'Kd7-wB2nYp5sRf9tJm3v';

describe.skipIf(!needsTool('curl')).each(['wire', 'http-proxy'])('own paths on the %s engine', (engine) => {
  let v1: Upstream;
  let v2: Upstream;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    gateway = await startGatewayProcess({
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      accessLog: 'stdout',
      tokens: [{ name: 'ci', token: TOKEN, role: 'operator' }],
      drain: { nudge: '0s', deadline: '2h' },
      more: { engine, threads: 2 },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await Promise.all([v1?.stop(), v2?.stop()]);
  });
  const curl = async (...args: readonly string[]): Promise<string> => {
    const run = startProcess('curl', ['--silent', '--show-error', '--max-time', '20', ...args]);
    expect(await run.exit).toBe(0);
    return run.stdout();
  };
  const own = (path: string): string => `${gateway.url}/.lockstep/${path}`;

  test('curl is told the state of its page’s version, and streams what becomes of it', async () => {
    const cookies = ['--header', 'Accept: text/html', '--dump-header', '-', '--output', '/dev/null'];
    const pin = /^set-cookie: (lockstep=[^;]+)/im.exec(await curl(...cookies, gateway.url))![1]!;
    const asked = await curl('--header', 'x-lockstep-version: v1', '--cookie', pin, own('version'));
    expect(JSON.parse(asked)).toMatchObject({ page: 'v1', session: 'v1', newest: 'v1', state: 'active' });
    const listener = startProcess('curl', ['--silent', '--no-buffer', '--cookie', pin, own('events?v=v1')]);
    const states = (): PageState[] =>
      [...listener.stdout().matchAll(/^event: state\ndata: (.+)$/gm)].map(([, json]) => JSON.parse(json!));
    await waitFor(() => states().length === 1, { what: 'the first event' });
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    const told = await waitFor(() => states().find(({ newest }) => newest === 'v2'), { what: 'the promote' });
    const { deadline } = (await gateway.admin.version('v1')).drain!;
    expect(told).toMatchObject({ state: 'draining', endsAt: deadline, update: 'v2', gone: false });
    await gateway.admin.rollback('keep');
    await waitFor(() => states().at(-1)!.state === 'active', { what: 'the rollback' });
    expect(states().at(-1)).toMatchObject({ newest: 'v1', endsAt: null, update: null });
    expect(await listener.stop('SIGTERM')).not.toBe(0);
  });

  test('curl gets the same by HTTP/1.0, a head alone by HEAD, and a 405 by POST', async () => {
    expect(JSON.parse(await curl('--http1.0', own('version?v=v1')))).toMatchObject({ page: 'v1' });
    const head = await curl('--head', own('version'));
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/^cache-control: no-store\r$/im);
    expect(await curl('--head', own('events'))).toMatch(/^content-type: text\/event-stream\r$/im);
    const posted = await curl('--include', '--data', 'x=1', own('version'));
    expect(posted).toMatch(/^HTTP\/1\.1 405 [\s\S]*^allow: GET, HEAD, OPTIONS\r$/im);
  });

  test('M04, M09: no path there is the operator’s, and nothing of the operator’s side shows', async () => {
    const seen: string[] = [];
    for (const path of [
      'version',
      'events',
      'nothing',
      'v1/status',
      'metrics',
      '../v1/status',
      '..%2fmetrics',
      'healthz',
    ]) {
      const bearer = ['--header', `Authorization: Bearer ${TOKEN}`, '--path-as-is', '--include'];
      // A stream goes on: what came first is what counts.
      const run = startProcess('curl', [
        '--silent',
        '--max-time',
        path === 'events' ? '1' : '20',
        ...bearer,
        own(path),
      ]);
      await run.exit;
      const isServed = path === 'version' || path === 'events';
      expect([path, run.stdout().slice(0, 12)]).toEqual([path, `HTTP/1.1 ${isServed ? 200 : 404}`]);
      seen.push(run.stdout());
    }
    const all = seen.join('\n');
    for (const secret of [TOKEN, v1.address, v2.address, gateway.admin.url, gateway.stateDir]) {
      expect(all).not.toContain(secret);
    }
    expect(v1.requests.filter(({ url }) => url.includes('lockstep'))).toEqual([]);
  });

  test('a line of the access log says own, and no version', async () => {
    await curl(own('version?v=logged'));
    const line = await waitFor(
      () =>
        gateway
          .process()
          .stdout()
          .split('\n')
          .find((one) => one.includes('v=logged')),
      { what: 'the line' },
    );
    expect(JSON.parse(line)).toMatchObject({
      reason: 'own',
      version: '',
      session: '',
      status: 200,
      error: null,
    });
    const metrics = await httpRequest(`${gateway.admin.url}/metrics`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(metrics.text()).toMatch(/^lockstep_requests_total\{[^}]*reason="own"[^}]*\} [1-9]/m);
  });

  // How octets move is in the contract suite; what a crowd costs does not hang on it.
  // What a crowd costs does not hang on how octets move.
  if (engine !== 'wire') return;
  test('a thousand pages hear of a promote, hold up nothing, and are let go when the gateway stops', async () => {
    const head = 'GET /.lockstep/events?v=v1 HTTP/1.1\r\nHost: shop.example\r\n\r\n';
    let crowd: Crowd | null = null;
    const pages: ListeningPage[] = [];
    let process: TestProcess | null = null;
    try {
      crowd = startCrowd({ host: gateway.host, port: gateway.port, count: 1_000, first: head });
      await waitFor(() => crowd!.counts()?.open === 1_000, { what: 'the crowd', timeoutMs: 60_000 });
      for (let i = 0; i < 5; i++) pages.push(await listenToEvents(gateway.url, { page: 'v1' }));
      await waitFor(() => pages.every(({ states }) => states.length > 0), { what: 'the first events' });
      await gateway.admin.promote('v2');
      await waitFor(() => pages.every(({ states }) => states.at(-1)!.newest === 'v2'), {
        what: 'all to hear',
      });
      expect((await gateway.admin.version('v1')).sessions.streams).toBe(0);
      expect(crowd.counts()).toMatchObject({ open: 1_000, ended: 0 });
      process = gateway.process();
      expect(await gateway.terminate(60_000)).toBe(0);
      await waitFor(() => crowd!.counts()!.ended === 1_000, {
        what: 'all to be let go',
        timeoutMs: 30_000,
      });
      expect(crowd.counts()!.endedMute).toBe(0);
      await waitFor(() => pages.every((page) => page.ended() !== null), { what: 'the pages to be let go' });
      expect(pages.map((page) => page.ended())).toEqual(pages.map(() => 'whole'));
    } finally {
      await crowd?.stop();
      for (const page of pages) page.close();
      expect(process?.stderr() ?? '').not.toMatch(/"level":(50|60)/);
    }
  });
});
