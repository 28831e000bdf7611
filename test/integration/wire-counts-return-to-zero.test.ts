// T05, T06, T08, T09: requests that are answered, aborted, reset, refused, retried, held, cut and tunnelled, three thousand
// of them in random order and many at a time. Whatever became of them, afterwards every count of requests under way and of
// streams is exactly 0, no connection is left busy, and each request has left one record.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import type { ExchangeRecord } from '../../src/core/exchange.ts';
import { Gauges } from '../../src/core/gauges.ts';
import { PinKeys } from '../../src/core/pin.ts';
import { Ledger } from '../../src/core/sessions.ts';
import { GatewaySteering } from '../../src/core/steering.ts';
import type { RoutingTable, TableUpstream, TableVersion } from '../../src/core/table.ts';
import { ConnectionCount } from '../../src/engine/connection-count.ts';
import { WireEngine } from '../../src/wire/engine.ts';
import { freePort } from '../kit/free-port.ts';
import { gatewayYaml } from '../kit/gateway-config.ts';
import { oneOf as oneOfThem, seededRandom } from '../kit/random.ts';
import { rawClient } from '../kit/raw-client.ts';
import { type Behaviour, type RawUpstream, startRawUpstream } from '../kit/raw-upstream.ts';
import { readRequest } from '../kit/strict-http.ts';
import { PIN_KEY, pinOf } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

const REQUESTS = 3_000;
const AT_ONCE = 40;
const SLOTS = [1, 2, 3];
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nok';
const EVENTS =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Targets that an upstream read. */
const arrived = new Set<string>();
let sent = 0;

const random = seededRandom(Number(process.env['SEED'] ?? 7));
const oneOf = <T>(choices: readonly T[]): T => oneOfThem(random, choices);

/** Each request of a connection meets one fate; most of them leave the connection usable. */
function fickle(): Behaviour {
  let read = 0;
  return {
    onBytes: ({ socket, received }) => {
      for (;;) {
        const reading = readRequest(received().subarray(read));
        if (reading.state !== 'complete') {
          if (random() < 0.02) socket.resetAndDestroy();
          return;
        }
        read += reading.end;
        arrived.add(reading.message.target);
        const isHandshake = reading.message.fields.some(([name]) => name.toLowerCase() === 'upgrade');
        const fates: readonly (() => void)[] = [
          () => socket.write(OK),
          () => socket.write(OK),
          () => socket.write(isHandshake ? SWITCHED : OK),
          () => socket.write(isHandshake ? SWITCHED : EVENTS),
          () => socket.end(isHandshake ? `${SWITCHED}xx` : `${EVENTS}0\r\n\r\n`),
          () => socket.write(EVENTS, () => socket.resetAndDestroy()),
          () => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n', () => socket.write(OK)),
          () => socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'),
          () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort'),
          () => socket.end(),
          () => socket.resetAndDestroy(),
          () => socket.write('rubbish\r\n\r\n'),
          () => socket.write(`${OK}and more`),
          () => {}, // silence
        ];
        oneOf(fates)();
      }
    },
  };
}

function requestText(): string {
  const cookie =
    random() < 0.7 ? `Cookie: lockstep=${pinOf({ version: oneOf(['v1', 'v2', 'v3']) })}\r\n` : '';
  const head = `Host: a\r\n${cookie}`;
  const n = sent++;
  return oneOf([
    `GET /page?${n} HTTP/1.1\r\n${head}\r\n`,
    `GET /page?${n} HTTP/1.0\r\n${head}\r\n`,
    `HEAD /page?${n} HTTP/1.1\r\n${head}\r\n`,
    `GET /a?${n} HTTP/1.1\r\n${head}\r\nGET /b?${n} HTTP/1.1\r\n${head}\r\n`,
    `POST /form?${n} HTTP/1.1\r\n${head}Content-Length: 4\r\n\r\nbody`,
    `POST /form?${n} HTTP/1.1\r\n${head}Content-Length: 9\r\n\r\nhalf`,
    `PUT /form?${n} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `PUT /form?${n} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\r\nabX`,
    `GET /ws?${n} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    `GET /ws?${n} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly`,
    `GET /bad?${n} HTTP/1.1\r\n${head}Bad Name: 1\r\n\r\n`,
    'GET /half HTTP/1.1\r\nHost',
  ]);
}

let upstreams: RawUpstream[];
let engine: WireEngine;
let address: { host: string; port: number };
const gauges = new Gauges();
const ledger = new Ledger({ capacity: 10_000, idleMs: 1_800_000, nowMs: Date.now() });
const records: ExchangeRecord[] = [];

beforeAll(async () => {
  upstreams = [await startRawUpstream(fickle), await startRawUpstream(fickle)];
  const refusing = await freePort();
  const yaml = gatewayYaml(
    {
      versions: { v1: [upstreams[0]!.url] },
      active: 'v1',
      cookie: { keys: [PIN_KEY] },
      limits: { headerTimeout: '300ms', clientIdle: '300ms', bodyProgress: '300ms', firstByte: '300ms' },
      deadPin: { patience: '100ms' },
    },
    'nowhere',
  );
  const parsed = parseConfig(yaml, 'test.yaml', {});
  if (!parsed.ok) throw new Error('the configuration of the test is wrong');
  const { config } = parsed;
  const steering = new GatewaySteering({
    cookie: config.cookie,
    keys: new PinKeys([PIN_KEY], 'lockstep', null),
    affinity: 'none',
    deadPin: config.deadPin,
    protectedPaths: [],
    markers: null,
    scope: 'session',
    upstreamConnections: null,
    ledger,
    gauges,
    random,
    randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
  });
  engine = new WireEngine(config, {
    steering,
    gauges,
    connections: ConnectionCount.create(1),
    wallMs: () => Date.now(),
    onFault: () => {},
    onUpstreamFault: () => {},
    record: (record) => records.push(record),
  });
  await engine.install(tableOf(refusing));
  address = (await engine.listen())[0]!;
});
afterAll(async () => {
  await engine?.shutdown(0);
  await Promise.all(upstreams.map((upstream) => upstream.stop()));
});

/** v1 is whole, v2 has a server that refuses, v3 is pinned to nothing but one that refuses. */
function tableOf(refusing: number): RoutingTable {
  const at = (port: number, slot: number): TableUpstream => ({
    address: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    slot,
    enabled: true,
    tag: '',
  });
  const version = (id: string, slot: number, of: readonly TableUpstream[]): TableVersion => ({
    id,
    reports: id,
    state: id === 'v1' ? 'active' : 'draining',
    slot,
    isDeleted: false,
    previewsEndedMs: 0,
    takesPinned: true,
    repin: 'stay',
    repinIdleMs: null,
    nudge: false,
    accepts: [],
    upstreams: of,
  });
  const v1 = version('v1', 1, [at(upstreams[0]!.port, 1)]);
  const v2 = version('v2', 2, [at(upstreams[1]!.port, 2), at(refusing, 3)]);
  const v3 = version('v3', 3, [{ ...at(refusing, 4), enabled: false }]);
  return {
    epoch: 1,
    generation: 1,
    active: v1,
    versions: new Map([v1, v2, v3].map((each) => [each.id, each])),
    shares: [{ version: v1, upTo: 100 }],
  };
}

async function oneClient(): Promise<void> {
  const client = await rawClient(address);
  await client.send(requestText());
  const patience = random() < 0.5 ? 1 + random() * 30 : 500;
  await client.waitForEnd(patience).catch(() => {});
  oneOf([client.close, client.reset, client.halfClose, client.close])();
  if (random() < 0.01) engine.closeStreams(oneOf(['v1', 'v2']), 'all', 0);
  if (random() < 0.005) engine.abortVersion(oneOf(['v1', 'v2', 'v3']));
  if (random() < 0.01) engine.availabilityChanged();
  await client.waitForEnd(3_000).catch(() => {});
  client.close();
}

test('every count is 0 when all are gone, and each request has one record', async () => {
  let left = REQUESTS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await oneClient();
    }),
  );
  await waitFor(() => engine.stats().clientConnections === 0, { what: 'all clients to be gone' });
  const { exchanges, upstreamConnections, idleUpstreamConnections } = engine.stats();
  expect({ exchanges, busy: upstreamConnections - idleUpstreamConnections }).toEqual({
    exchanges: 0,
    busy: 0,
  });
  expect(SLOTS.map((slot) => [gauges.versionInFlight(slot), gauges.versionStreams(slot)])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  expect([1, 2, 3, 4].map((slot) => gauges.inFlight(slot))).toEqual([0, 0, 0, 0]);
  expect(SLOTS.map((slot) => ledger.counts(slot, Date.now()).streams)).toEqual([0, 0, 0]);
  // The run met what it is about.
  const seen = new Set(records.map(({ failure }) => failure));
  for (const failure of [
    'client-gone',
    'upstream-reset',
    'upstream-truncated',
    'cut-off',
    'malformed',
  ] as const) {
    expect(seen, failure).toContain(failure);
  }
  expect(records.filter(({ isStream }) => isStream).length).toBeGreaterThan(20);
  expect(records.filter(({ retries }) => retries > 0).length).toBeGreaterThan(20);
  expect(records.filter(({ reason }) => reason === 'held').length).toBeGreaterThan(20);
  // One record for each request that an upstream saw, and two for none.
  const urls = records.map(({ url }) => url).filter((url) => url !== '');
  expect(urls.length).toBe(new Set(urls).size);
  expect([...arrived].filter((target) => !urls.includes(target))).toEqual([]);
}, 120_000);
