// Heads that came before are recognised, on both sides, and not read again. What one like it says may not be said of it: so
// the same sequences go through two gateways, of which one never recognises anything. Each step differs from the one before
// in one respect (who asks, how, what was put in force meanwhile, what time it is), comes twice, and the first step comes
// again behind it. Clients and upstreams must see the same of both gateways.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newSessionId, PinKeys, signPin } from '../../src/core/pin.ts';
import type { EngineSettings } from '../../src/engine/contract.ts';
import { WireEngine } from '../../src/wire/engine.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { type Message, readAnswer } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const KEY = 'a key for tests that is long enough to be one';
const SESSION = newSessionId(randomBytes(12));
const NAVIGATION = 'Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n';

function pin(version: string, seen = START - MINUTE, keys = [KEY]): string {
  const fields = { version, session: SESSION, first: seen - MINUTE, seen, upstream: '' };
  return `Cookie: a=b; lockstep=${signPin(new PinKeys(keys, 'lockstep', null), fields)}\r\n`;
}

interface Asking {
  readonly line?: string;
  readonly fields?: string;
  /** Local address of the client. */
  readonly from?: string;
  /** Done before it is asked. */
  readonly before?: (scene: Scene, clock: { nowMs: number }) => void | Promise<void>;
}

interface Sequence {
  readonly name: string;
  readonly settings?: Partial<SceneSettings>;
  /** Of every step that says no other. */
  readonly fields?: string;
  readonly steps: readonly Asking[];
}

const reload = (change: (options: EngineSettings) => Partial<EngineSettings>) => (scene: Scene) =>
  scene.engine.reconfigure({ ...scene.options, ...change(scene.options) });

const SEQUENCES: readonly Sequence[] = [
  {
    name: 'methods, versions, targets',
    fields: pin('v1'),
    steps: [
      {},
      ...['HEAD', 'POST', 'OPTIONS', 'TRACE', 'CONNECT', 'get'].map((method) => ({
        line: `${method} /plain HTTP/1.1`,
      })),
      { line: 'GET /plain HTTP/1.0' },
      { line: 'GET /plain HTTP/1.2' },
      { line: 'GET http://b.example/plain HTTP/1.1' },
      { line: 'OPTIONS * HTTP/1.1' },
      { line: `GET /${'x'.repeat(9_000)} HTTP/1.1` },
      { line: 'GET /plain\t HTTP/1.1' },
    ],
  },
  {
    name: 'marks of a page in the target',
    fields: pin('v1'),
    steps: ['?__lockstep=v2', '', '?__lockstep=v2&a=1', '?a=1', '?__lockstep=v1', '?a=1&__lockstep=gone'].map(
      (query) => ({ line: `GET /plain${query} HTTP/1.1` }),
    ),
  },
  {
    name: 'who asks, and what is said of that',
    fields: `${pin('v1')}X-Forwarded-For: 198.51.100.1\r\n`,
    steps: [
      {},
      { from: '127.0.0.2' },
      { before: reload(() => ({ trustedProxies: ['127.0.0.2'] })) },
      { from: '127.0.0.2' },
      { before: reload(() => ({ trustedProxies: ['127.0.0.1'] })) },
      { fields: `${pin('v1')}Connection: close\r\n` },
      { fields: `${pin('v1')}X-Lockstep-Version: v2\r\n` },
      { fields: `${pin('v1')}X-Lockstep-Hops: 30\r\n` },
      { fields: `${pin('v1')}Content-Length: 0\r\n` },
    ],
  },
  {
    name: 'settings that a reload brings',
    fields: pin('v1'),
    steps: [
      {},
      { before: reload(({ cookie }) => ({ cookie: { ...cookie, strip: true } })) },
      { before: reload(({ limits }) => ({ limits: { ...limits, headers: 1 } })) },
      { before: reload(({ limits }) => ({ limits: { ...limits, uri: 5 } })) },
      { before: reload(({ limits }) => ({ limits: { ...limits, headBytes: 60 } })) },
      { before: reload(() => ({ hosts: ['other.example'] })) },
      { before: reload(({ limits }) => ({ limits: { ...limits, responseHead: 20 } })) },
    ],
  },
  {
    name: 'answers that differ in their framing and no more',
    fields: pin('v1'),
    steps: [
      'plain',
      '204',
      '304',
      'close',
      'chunked',
      'old',
      'cookie',
      'own-cookie',
      'dated',
      'html',
    ].flatMap((kind) => [
      { line: `GET /${kind} HTTP/1.1` },
      { line: `HEAD /${kind} HTTP/1.1` },
      { line: `GET /${kind} HTTP/1.0` },
      { line: `GET /${kind} HTTP/1.1`, fields: `${pin('v1')}Connection: close\r\n` },
    ]),
  },
  {
    name: 'time, for a page',
    fields: `${pin('v1')}${NAVIGATION}If-None-Match: "x"\r\n`,
    steps: [0, 1, 10, 20, 29, 61, 10, -30, 1, 60 * 13].map((minutes) => ({
      line: 'GET /html HTTP/1.1',
      before: (_: Scene, clock: { nowMs: number }) => {
        clock.nowMs = START + minutes * MINUTE;
      },
    })),
  },
  {
    name: 'what becomes of versions, for a page',
    fields: `${pin('v1')}${NAVIGATION}`,
    settings: { protectedPaths: ['/checkout*'] },
    steps: [
      {},
      { before: (scene) => scene.activate('v2') },
      { before: (scene) => scene.activate('v2', [], { nudge: true }) },
      {
        before: (scene) => scene.activate('v2', [], { repin: 'navigation' }),
        line: 'GET /checkout/1 HTTP/1.1',
      },
      { line: 'GET /html HTTP/1.1' },
      { line: 'POST /html HTTP/1.1' },
      { line: 'GET /checkout/2 HTTP/1.1' },
      { before: (scene) => scene.activate('v2', [], { repin: 'forced' }) },
      { before: (scene) => scene.activate('v2', ['v1']) },
      { line: 'POST /html HTTP/1.1' },
      { before: (scene) => scene.activate('v1') },
    ],
  },
  {
    name: 'what becomes of versions and keys, for a script',
    fields: pin('v1'),
    steps: [
      {},
      { before: (scene) => scene.activate('v2', [], { repin: 'navigation' }) },
      { before: (scene) => scene.activate('v2', [], { repin: 'forced' }) },
      { before: (scene) => scene.activate('v2', ['v1']) },
      { before: (scene) => scene.activate('v2') },
      { before: (scene) => scene.rekey(['another key that is long enough to be one']) },
      { before: (scene) => scene.rekey(['another key that is long enough to be one', KEY]) },
      { fields: pin('v1', START + 5 * MINUTE) },
      { fields: pin('v2') },
      { fields: '' },
    ],
  },
  {
    name: 'tabs, by a field and by the query',
    fields: `${pin('v1')}X-Lockstep-Version: v2\r\n`,
    steps: [
      {},
      { line: 'GET /html HTTP/1.1' },
      { line: 'POST /plain HTTP/1.1' },
      { line: 'GET /plain?__lockstep=v1 HTTP/1.1' },
      { fields: pin('v1') },
      { fields: pin('v1'), line: 'GET /plain?__lockstep=v2 HTTP/1.1' },
      { fields: pin('v1'), line: 'GET /plain?__lockstep=v9 HTTP/1.1' },
      { fields: `${pin('v1')}X-Lockstep-Version: v9\r\n` },
      { fields: `X-Lockstep-Version: v2\r\n` },
      { before: (scene) => scene.activate('v1', ['v2']) },
      { before: (scene) => scene.activate('v2') },
    ],
  },
  {
    name: 'markers, in targets and in fields that are the same',
    fields: `${pin('v1')}X-Build: v9\r\n`,
    settings: {
      markers: { headers: ['x-build'], queries: ['dpl'], paths: ['/app/{version}/*'], cookies: ['__vdpl'] },
    },
    steps: [
      {},
      ...['/plain?dpl=v2', '/plain?dpl=v1', '/plain?dpl=v9', '/app/v2/x', '/app/x'].map((target) => ({
        line: `GET ${target} HTTP/1.1`,
      })),
      { fields: `${pin('v1')}X-Build: v2\r\n` },
      { fields: `${pin('v1')}x-build: v1\r\n` },
      { fields: 'Cookie: __vdpl=v2\r\n' },
      { before: (scene) => scene.activate('v1', ['v2']), line: 'GET /plain?dpl=v2 HTTP/1.1' },
      { line: 'GET /plain HTTP/1.1', fields: `${pin('v1')}X-Build: v2\r\n` },
      { before: (scene) => scene.activate('v1'), line: 'GET /plain?dpl=v2 HTTP/1.1' },
    ],
  },
];

/** A POST counts as the beginning of a round trip, in which no page changes its version. */
const ROUND_TRIP: Sequence = {
  name: 'a page behind a POST with the same fields',
  fields: `${pin('v1')}${NAVIGATION}`,
  steps: [
    { line: 'GET /html HTTP/1.1' },
    { line: 'POST /html HTTP/1.1' },
    {
      before: (scene) => scene.activate('v2', [], { repin: 'navigation' }),
      line: 'GET /html HTTP/1.1',
    },
  ],
};

const BODY = 'twelve octets'.slice(0, 12);
const ANSWERS: Readonly<Record<string, string>> = {
  '204': 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n',
  '304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n',
  close: `HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n${BODY}`,
  chunked: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n${BODY}\r\n0\r\n\r\n`,
  old: `HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n${BODY}`,
  cookie: `HTTP/1.1 200 OK\r\nContent-Length: 12\r\nSet-Cookie: mine=1\r\n\r\n${BODY}`,
  'own-cookie': `HTTP/1.1 200 OK\r\nContent-Length: 12\r\nSet-Cookie: lockstep=1\r\n\r\n${BODY}`,
  dated: `HTTP/1.1 200 OK\r\nContent-Length: 12\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n${BODY}`,
  html: `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\nContent-Length: 12\r\n\r\n${BODY}`,
  plain: `HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n${BODY}`,
};

describe('a gateway that recognises heads says what one that does not would say', () => {
  let recorders: readonly RecordingUpstream[];
  beforeAll(async () => {
    const start = () =>
      startRecordingUpstream(({ method, target }, socket) => {
        const answer = ANSWERS[target.slice(1)] ?? ANSWERS['plain']!;
        const octets = method === 'HEAD' ? answer.slice(0, answer.indexOf('\r\n\r\n') + 4) : answer;
        if (/^HTTP\/1\.0|\nConnection: close/.test(answer)) socket.end(octets);
        else socket.write(octets);
        return true;
      });
    recorders = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    for (const recorder of recorders ?? []) await recorder.stop();
  });

  test.each([...SEQUENCES, ROUND_TRIP])('$name', async (sequence) => {
    const recognising = await play(sequence, true, recorders);
    const reading = await play(sequence, false, recorders);
    expect(recognising.told).toEqual(reading.told);
    expect(new Set(recognising.sessions).size).toBe(recognising.sessions.length);
    expect(recognising.recognised, 'something was recognised').toBeGreaterThan(2);
  });
});

async function play(sequence: Sequence, recognises: boolean, recorders: readonly RecordingUpstream[]) {
  const clock = { nowMs: START };
  const [v1, v2] = recorders.map(({ upstream }) => upstream.address) as [string, string];
  let engine: WireEngine | null = null;
  const create = (...given: ConstructorParameters<typeof WireEngine>) => {
    engine = new WireEngine(...given);
    return engine;
  };
  const scene = await startScene(
    { name: 'wire', create },
    { versions: { v1: [v1], v2: [v2] }, wallMs: () => clock.nowMs, ...sequence.settings },
  );
  let recognised = 0;
  for (const cache of [engine!.knownHeads, engine!.pools.answers]) {
    const find = cache.find.bind(cache) as (...given: unknown[]) => unknown;
    cache.find = (...given: unknown[]) => {
      const found = recognises ? find(...given) : undefined;
      if (found !== undefined) recognised++;
      return found as never;
    };
  }
  const told: unknown[] = [];
  const sessions: string[] = [];
  const [first] = sequence.steps;
  for (const step of sequence.steps) {
    await step.before?.(scene, clock);
    for (const asking of [step, step, { ...first, before: undefined }]) {
      for (const recorder of recorders) recorder.forget();
      const { line = 'GET /plain HTTP/1.1', fields = sequence.fields ?? '', from = '127.0.0.1' } = asking;
      const answer = await ask(scene, from, `${line}\r\nHost: a.example\r\n${fields}\r\n`);
      const seen = recorders.map((recorder) => recorder.requests().map(plainly));
      for (const { fields: arrived } of recorders.flatMap((recorder) => recorder.requests()))
        sessions.push(
          ...arrived.flatMap(([name, id]) => (name === 'x-lockstep-session' && id !== SESSION ? [id] : [])),
        );
      told.push({ line, from, answer, seen });
    }
  }
  await scene.stop();
  return { told, recognised, sessions };
}

/** On a connection of its own: the pair in a row on one is what near-twins.test.ts is about. */
async function ask(scene: Scene, localAddress: string, head: string): Promise<unknown> {
  const socket = connect({ host: scene.host, port: scene.port, localAddress });
  let received = Buffer.alloc(0);
  let hasEnded = false;
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
  });
  socket.on('end', () => {
    hasEnded = true;
  });
  socket.on('error', () => {});
  socket.write(head, 'latin1');
  const method = head.slice(0, head.indexOf(' '));
  const message = await waitFor(
    () => {
      const reading = readAnswer(received, 0, method, hasEnded);
      if (reading.state === 'broken') throw new Error(reading.fault);
      return reading.state === 'complete' ? reading.message : null;
    },
    { what: `an answer to ${JSON.stringify(head)}`, everyMs: 1 },
  );
  socket.destroy();
  return {
    ...plainly(message),
    hasEnded: message.fields.some(([name, value]) => name === 'Connection' && value === 'close'),
  };
}

/** Without what is made at random for each new session. */
function plainly({ startLine, fields, body }: Message) {
  const text = (value: string) => value.replace(/(lockstep=1\.[^~]*)~[^;]*/, '$1');
  const isNew = fields.some(([name, value]) => name === 'x-lockstep-session' && value !== SESSION);
  return {
    startLine,
    fields: fields.map(([name, value]) => [
      name,
      isNew && name === 'x-lockstep-session' ? 'new' : text(value),
    ]),
    body: body.toString('latin1'),
  };
}
