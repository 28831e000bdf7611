import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/control/clock.ts';
import { HealthChecker } from '../../../src/control/health-checker.ts';
import { healthTargets } from '../../../src/control/health-targets.ts';
import { Slots } from '../../../src/control/slots.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import type { HealthPolicy } from '../../../src/core/policy.ts';
import { VERSION_STATES } from '../../../src/core/versions.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { deploymentOf, versionOf } from '../../unit/control/deployments.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const POLICY: HealthPolicy = {
  path: '/healthz',
  intervalMs: 20,
  timeoutMs: 200,
  rise: 2,
  fall: 3,
  slowStartMs: 0,
  connectFaults: 5,
  answerFaults: 10,
  outForMs: 10_000,
};

async function listening(server: Server | TcpServer, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const httpUpstream = (answer: RequestListener) => {
  const server = createServer(answer);
  cleanups.push(() => server.closeAllConnections());
  return listening(server);
};

async function closedPort(): Promise<string> {
  const server = createTcpServer();
  const address = await listening(server);
  await cleanups.pop()!();
  return address;
}

function checking(addresses: readonly string[], policy: Partial<HealthPolicy> = {}) {
  const gauges = new Gauges();
  const told: string[] = [];
  const checker = new HealthChecker(
    { ...POLICY, ...policy },
    {
      clock: systemClock,
      random: () => 0.5,
      gauges,
      onComeback: ({ version }) => told.push(`close ${version} while ${gauges.health(0)}`),
      onChange: ({ version }, { health, error }) => told.push(`${version} ${health}: ${error}`),
      onConfirmed: () => told.push('confirmed'),
      skew: () => ({ header: null, quarantine: false, detect: false }),
      onReport: ({ address }, wrong) => told.push(`${address} says ${wrong}`),
    },
  );
  cleanups.push(() => checker.stop());
  checker.update(
    addresses.map((address, slot) => ({
      version: 'v1',
      address,
      slot,
      reports: 'v1',
      hasSessions: true,
      isServer: false,
    })),
  );
  return { checker, gauges, told };
}

const firstRound = (checker: HealthChecker) =>
  waitFor(() => checker.isFirstRoundDone(), { what: 'the first health round' });

describe('a health check by HTTP', () => {
  it.each([
    { status: 200, want: 'up' },
    { status: 204, want: 'up' },
    { status: 302, want: 'up' },
    { status: 404, want: 'down' },
    { status: 503, want: 'down' },
  ])('takes a $status for $want, and decides with the first', async ({ status, want }) => {
    const address = await httpUpstream((_request, response) => response.writeHead(status).end());
    const { checker, gauges } = checking([address], { intervalMs: 60_000 });
    await firstRound(checker);
    expect(gauges.health(0)).toBe(want);
    expect(checker.lastError('v1', address)).toBe(want === 'up' ? null : `answered ${status}`);
  });

  it('asks for the path on a connection of its own each time', async () => {
    const seen: string[] = [];
    const address = await httpUpstream((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host} ${request.socket.remotePort}`);
      response.end();
    });
    checking([address]);
    await waitFor(() => seen.length >= 3, { what: 'three checks' });
    expect(seen[0]).toMatch(`GET /healthz ${address} `);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('says in a few words what is wrong', async () => {
    const refusing = await closedPort();
    const silent = await listening(createTcpServer((socket) => socket.on('error', () => {}).resume()));
    const closing = await listening(createTcpServer((socket) => socket.destroy()));
    const { checker, gauges } = checking([refusing, silent, closing]);
    await firstRound(checker);
    expect([refusing, silent, closing].map((address) => checker.lastError('v1', address))).toEqual([
      'connection refused',
      'no answer within 200 ms',
      'connection closed without an answer',
    ]);
    expect([0, 1, 2].map((slot) => gauges.health(slot))).toEqual(['down', 'down', 'down']);
  });

  it('goes by the status of an answer whose body never ends, and reads little of it', async () => {
    let sent = 0;
    const address = await httpUpstream((_request, response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
      };
      response.on('drain', pour);
      pour();
    });
    const { checker, gauges } = checking([address], { intervalMs: 60_000, timeoutMs: 5_000 });
    await firstRound(checker);
    expect(gauges.health(0)).toBe('up');
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  it('falls after `fall` failures, rises after `rise` successes, and closes old connections before that', async () => {
    const answers = [200, 500, 500, 200, 500, 500, 500, 200, 500, 200, 200];
    let asked = 0;
    const address = await httpUpstream((_request, response) => {
      response.writeHead(answers[asked++] ?? 200).end();
    });
    const { told } = checking([address]);
    await waitFor(() => asked > answers.length, { what: 'all answers' });
    expect(told).toEqual(['v1 up: null', 'v1 down: answered 500', 'close v1 while down', 'v1 up: null']);
  });

  it('never overlaps itself', async () => {
    let now = 0;
    let most = 0;
    let asked = 0;
    const address = await httpUpstream((_request, response) => {
      asked++;
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end();
      }, 50);
    });
    checking([address], { intervalMs: 1 });
    await waitFor(() => asked >= 4, { what: 'four checks' });
    expect(most).toBe(1);
  });

  it('leaves alone what is not named any more, and its health is unknown', async () => {
    let asked = 0;
    const address = await httpUpstream((_request, response) => {
      asked++;
      response.end();
    });
    const { checker, gauges } = checking([address]);
    await firstRound(checker);
    checker.update([]);
    const askedThen = asked;
    expect(gauges.health(0)).toBe('unknown');
    expect(checker.lastError('v1', address)).toBeNull();
    const { checker: other } = checking([address], { intervalMs: 60_000 });
    await firstRound(other);
    expect(asked).toBeLessThanOrEqual(askedThen + 1);
  });

  it('drops a result that comes after its upstream left', async () => {
    let answer = () => {};
    const address = await httpUpstream((_request, response) => {
      answer = () => response.writeHead(200).end();
    });
    const before = answer;
    const { checker, gauges, told } = checking([address], { timeoutMs: 5_000 });
    await waitFor(() => answer !== before, { what: 'the check' });
    checker.update([]);
    answer();
    await checker.stop();
    expect([gauges.health(0), told]).toEqual(['unknown', []]);
    expect(checker.isFirstRoundDone()).toBe(true);
  });

  it('looks at more upstreams than it has at once', async () => {
    const address = await httpUpstream((_request, response) => response.end());
    const [, port] = address.split(':');
    const addresses = Array.from({ length: 100 }, (_, index) => `127.0.0.${1 + index}:${port}`);
    const { checker, gauges } = checking(addresses, { intervalMs: 60_000 });
    await firstRound(checker);
    expect(addresses.map((_, slot) => gauges.health(slot)).filter((health) => health === 'unknown')).toEqual(
      [],
    );
  });
});

describe('a health check without a path', () => {
  it('is a TCP connect', async () => {
    const open = await listening(createTcpServer((socket) => socket.on('error', () => {}).resume()));
    const { checker, gauges } = checking([open, await closedPort()], { path: null, intervalMs: 60_000 });
    await firstRound(checker);
    expect([gauges.health(0), gauges.health(1)]).toEqual(['up', 'down']);
  });
});

describe('what is checked', () => {
  it('is every enabled upstream of a version that has not ended', () => {
    const states = Object.fromEntries(VERSION_STATES.map((state, index) => [`v${index}`, state]));
    const { versions, ...rest } = deploymentOf(states);
    const off = {
      ...versionOf('off', 'staged', '127.0.0.1:9999'),
      upstreams: [{ address: 'x:1', enabled: false }],
    };
    const targets = healthTargets(
      { ...rest, versions: [...versions, off] },
      new Slots(new Gauges(), { confirmed: () => 0, releaseVersion: () => {} }),
    );
    expect(targets.map(({ version }) => states[version])).toEqual([
      'staged',
      'canary',
      'active',
      'draining',
      'drained',
    ]);
  });
});

describe('a policy that is swapped', () => {
  it('is that of the next checks, which come in the new interval, and what is known stays known', async () => {
    const seen: string[] = [];
    const address = await httpUpstream((request, response) => {
      seen.push(String(request.url));
      response.end();
    });
    const { checker, gauges, told } = checking([address], { intervalMs: 3_600_000 });
    await firstRound(checker);
    checker.reconfigure({ ...POLICY, path: '/ready', intervalMs: 20 });
    await waitFor(() => seen.length >= 3, { what: 'checks in the new interval' });
    expect(seen[0]).toBe('/healthz');
    expect(new Set(seen.slice(1))).toEqual(new Set(['/ready']));
    expect(gauges.health(0)).toBe('up');
    expect(told).toEqual(['v1 up: null']);
  });

  it('does not count a check under way as a failure', async () => {
    const asked: ServerResponse[] = [];
    const address = await httpUpstream((_request, response) => asked.push(response));
    const { checker, gauges } = checking([address], { timeoutMs: 10_000, intervalMs: 3_600_000 });
    await waitFor(() => asked.length > 0, { what: 'the check' });
    checker.reconfigure({ ...POLICY, path: null, intervalMs: 3_600_000 });
    asked[0]!.end();
    await firstRound(checker);
    expect(gauges.health(0)).toBe('up');
  });
});

describe('the time of the last change', () => {
  it('is that of the health, not of a check, and nothing before the first', async () => {
    let status = 200;
    const address = await httpUpstream((_request, response) => response.writeHead(status).end());
    const { checker, gauges } = checking([address], { fall: 2 });
    expect(checker.changedAtMs('v1', address)).toBeNull();
    const startMs = systemClock.wallMs();
    await firstRound(checker);
    const upSince = checker.changedAtMs('v1', address)!;
    expect(upSince).toBeGreaterThanOrEqual(startMs);
    status = 500;
    await waitFor(() => gauges.health(0) === 'down', { what: 'it to fall' });
    expect(checker.changedAtMs('v1', address)).toBeGreaterThan(upSince);
    expect(checker.changedAtMs('v1', 'somewhere:1')).toBeNull();
  });
});
