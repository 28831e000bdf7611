// The gateway with few file descriptors. First a limit that is too low for limits.connections: it says so at its start, lets
// in as many clients as it can serve, closes the others at once, and its admin API answers all the while. Then a limit that
// is pulled from under it, so that not one connect succeeds: requests get a 503 that says why, servers are not blamed, the
// process neither dies nor spins, and all is well again as soon as there are descriptors.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCrowd } from '../kit/connection-crowd.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type Answer, httpRequest } from '../kit/http-request.ts';
import { needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const LIMIT = 256;
/** See src/descriptors.ts. */
const CLIENTS = 144;
const UPSTREAMS = 48;
const CROWD = 400;
const WATCHED_MS = 2_000;

describe.skipIf(!needsTool('prlimit'))('without descriptors', () => {
  let upstream: Upstream;
  let gateway: GatewayProcess;
  const agents: Agent[] = [];
  beforeEach(async () => {
    upstream = await startUpstream({ version: 'v1' });
    gateway = await startGatewayProcess(
      {
        versions: { v1: [upstream.url] },
        active: 'v1',
        limits: { upstreamIdle: '200ms', headerTimeout: '60s' },
        health: { interval: '100ms', fall: 2 },
        more: { log: { access: 'off', level: 'warn' } },
      },
      (_folder, command) => [
        'prlimit',
        `--nofile=${LIMIT}:4096`,
        'sh',
        '-c',
        `ulimit -Hn ${LIMIT}; exec "$@"`,
        'sh',
        ...command,
      ],
    );
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.destroy();
    await gateway?.stop();
    await upstream?.stop();
  });

  /** A client that has its connection and keeps it. */
  const keptClient = async (): Promise<() => Promise<Answer>> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const ask = (): Promise<Answer> => httpRequest(`${gateway.url}/api/x`, { agent, timeoutMs: 5_000 });
    expect((await ask()).status).toBe(200);
    return ask;
  };
  const cpuMs = (): number => {
    const fields = readFileSync(`/proc/${gateway.process().pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  const metric = async (name: string): Promise<number> => {
    const text = (await gateway.admin.call('GET', '/metrics')).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  test('too few for limits.connections: it says so, serves those it lets in, and the admin API answers', async () => {
    const { admin, url, process } = gateway;
    expect(process().stderr()).toContain(
      `may open only ${LIMIT}: at most ${CLIENTS} clients are let in, and ${UPSTREAMS} requests`,
    );
    expect(process().stderr()).toContain('ulimit -n 20128');
    const atStart = process().stderr();
    const kept = await Promise.all(Array.from({ length: 20 }, keptClient));
    const crowd = startCrowd({
      host: gateway.host,
      port: gateway.port,
      count: CROWD,
      first: 'GET / HTTP/1.1\r\n',
    });
    try {
      await waitFor(() => (crowd.counts()?.opened ?? 0) >= CROWD, { what: 'the crowd' });
      const tooMany = CROWD + kept.length - CLIENTS;
      await waitFor(() => crowd.counts()!.ended >= tooMany, { what: 'what does not fit to be closed' });
      expect(crowd.counts()!.open).toBe(CROWD - tooMany);
      // All of those that were let in at once, again and again: none is let down.
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(kept.map((ask) => ask()));
        expect(answers.map(({ status }) => status)).toEqual(kept.map(() => 200));
      }
      expect((await admin.status()).active).toBe('v1');
      expect(await metric('lockstep_refused_connections_total')).toBe(tooMany);
      expect(readdirSync(`/proc/${process().pid}/fd`).length).toBeLessThan(LIMIT - 32);
    } finally {
      await crowd.stop();
    }
    await waitFor(async () => (await httpRequest(`${url}/api/x`)).status === 200, { what: 'room again' });
    expect(process().stderr(), 'not a word for each of them').toBe(atStart);
  });

  test('too few for all that ask at once: as many as fit are served, the others get a 503 that says so', async () => {
    const { admin, url } = gateway;
    const statuses: number[] = [];
    const stop = new AbortController();
    const asked = Array.from({ length: UPSTREAMS * 2 }, () =>
      httpRequest(`${url}/hang`, { signal: stop.signal }).then(
        ({ status, headers }) =>
          statuses.push(headers['x-lockstep-error'] === 'exhausted' ? status : -status),
        () => {},
      ),
    );
    await waitFor(() => statuses.length >= UPSTREAMS, { what: 'those that do not fit to be answered' });
    expect(statuses).toEqual(Array.from({ length: UPSTREAMS }, () => 503));
    expect((await admin.version('v1')).inFlight).toBe(UPSTREAMS);
    expect((await admin.version('v1')).upstreams[0]).toMatchObject({ health: 'up', inFlight: UPSTREAMS });
    stop.abort();
    await Promise.all(asked);
    await waitFor(async () => (await httpRequest(`${url}/api/x`)).status === 200, { what: 'room again' });
  });

  test('because others took them all: nothing spins, clients are closed at once, and it recovers by itself', async () => {
    const { admin, url, process } = gateway;
    const kept = await Promise.all(Array.from({ length: 5 }, keptClient));
    const open = (): number => readdirSync(`/proc/${process().pid}/fd`).length;
    // Nothing bounds the callers of the admin API but the descriptors themselves.
    const port = Number(new URL(admin.url).port);
    const crowd = startCrowd({ host: gateway.host, port, count: CROWD, first: 'GET / HTTP/1.1\r\n' });
    try {
      await waitFor(() => (crowd.counts()?.opened ?? 0) >= CROWD, { what: 'the crowd' });
      // Those of upstream connections that have idled out since are taken again by the first requests.
      await waitFor(() => open() >= LIMIT - 2 - kept.length, { what: 'no descriptors to be left' });
      const before = cpuMs();
      const until = performance.now() + WATCHED_MS;
      const seen = new Set<unknown>();
      while (performance.now() < until) {
        for (const ask of kept) {
          const { status, headers } = await ask();
          seen.add(status === 200 ? 200 : headers['x-lockstep-error']);
        }
        const stranger = httpRequest(`${url}/api/x`, { timeoutMs: 5_000 });
        seen.add(
          await stranger.then(
            ({ status }) => status,
            () => 'closed',
          ),
        );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(cpuMs() - before, `ms of CPU in ${WATCHED_MS} ms`).toBeLessThan(WATCHED_MS / 2);
      expect([...seen].filter((what) => ![200, 503, 'exhausted', 'closed'].includes(what as never))).toEqual(
        [],
      );
    } finally {
      await crowd.stop();
    }
    await waitFor(async () => (await httpRequest(`${url}/api/x`)).status === 200, {
      what: 'it to be well again',
    });
    expect((await admin.version('v1')).upstreams[0]).toMatchObject({ health: 'up', inFlight: 0 });
  });

  test('at all: requests get a 503 that says so, no server is blamed, and it recovers by itself', async () => {
    const { admin, url, process } = gateway;
    const { pid } = process();
    const kept = await Promise.all(Array.from({ length: 5 }, keptClient));
    await waitFor(() => upstream.openConnections() === 0, { what: 'idle upstream connections to be closed' });
    const limitTo = (soft: number): void => {
      execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:${LIMIT}`]);
    };
    // Descriptors are numbers from below: no new one is below what a handful of listeners and logs take.
    limitTo(8);
    const before = cpuMs();
    const until = performance.now() + WATCHED_MS;
    let refused = 0;
    while (performance.now() < until) {
      for (const ask of kept) {
        const answer = await ask();
        expect([answer.status, answer.headers['x-lockstep-error'], answer.headers['retry-after']]).toEqual([
          503,
          'exhausted',
          '1',
        ]);
        refused++;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const spent = cpuMs() - before;
    limitTo(LIMIT);
    for (const ask of kept) expect((await ask()).status).toBe(200);
    expect((await httpRequest(`${url}/api/x`)).status).toBe(200);
    const [server] = (await admin.version('v1')).upstreams;
    expect(server).toMatchObject({ health: 'up', inFlight: 0 });
    expect(await metric('lockstep_refused_total{code="exhausted"')).toBe(refused);
    expect(spent, `ms of CPU in ${WATCHED_MS} ms`).toBeLessThan(WATCHED_MS / 2);
    const lines = process()
      .stderr()
      .split('\n')
      .filter((line) => line.includes('no descriptors'));
    expect(lines.length, 'told, and not for each request').toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(refused / 2);
  });
});
