// Streams of a soak: WebSockets that send and get back, and event streams that are read for a while. Each one's version is
// told by the application in its first message, or in every event.

import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { between, type Random } from '../kit/random.ts';
import type { Client } from './clients.ts';
import type { Outcome } from './rules.ts';
import { Visitor } from './visitor.ts';

const GOING_AWAY = 1_012;
const NORMAL = 1_000;

/** What a stream saw, until it was ended by one side. */
interface Seen {
  status: number;
  version: string;
  meant: string;
  code: string;
  end: Outcome['end'];
  isRight: boolean;
  detail: string;
}

export const socket: Client = async (scene) => {
  await withStream(scene, 'a WebSocket', (visitor) =>
    echoes(scene.origin, visitor, scene.random, scene.isOver),
  );
};

export const eventReader: Client = async (scene) => {
  const forMs = between(scene.random, 200, 20_000);
  await withStream(scene, 'an event stream', (visitor) => events(scene.origin, visitor, forMs, scene.isOver));
};

async function withStream(
  scene: Parameters<Client>[0],
  asked: string,
  follow: (visitor: Visitor) => Promise<Seen>,
): Promise<void> {
  const visitor = new Visitor(scene.origin, scene.report);
  try {
    if (!(await visitor.load())) return;
    const quietMs = visitor.quietMs();
    const startedAtMs = performance.now();
    const seen = await follow(visitor);
    visitor.report({
      ...seen,
      what: 'stream',
      asked,
      startedAtMs,
      endedAtMs: performance.now(),
      page: visitor.page,
      quietMs,
    });
  } finally {
    visitor.close();
  }
}

function echoes(origin: string, visitor: Visitor, random: Random, isOver: () => boolean): Promise<Seen> {
  const seen: Seen = { status: 0, version: '', meant: '', code: '', end: 'cut', isRight: true, detail: '' };
  const client = new WebSocket(`${origin.replace('http', 'ws')}/ws`, {
    headers: { ...visitor.identity },
    perMessageDeflate: random() < 0.5,
  });
  const untilMs = performance.now() + between(random, 200, 20_000);
  let expected: string | null = null;
  const sendNext = async (): Promise<void> => {
    await sleep(between(random, 10, 200));
    if (client.readyState !== WebSocket.OPEN) return;
    if (performance.now() > untilMs || isOver()) {
      seen.end = 'whole';
      if (random() < 0.3) client.terminate();
      else client.close(NORMAL);
      return;
    }
    expected = 'x'.repeat(Math.floor(between(random, 1, random() < 0.1 ? 100_000 : 500)));
    client.send(expected);
  };
  return new Promise((resolve) => {
    client.on('upgrade', () => {
      seen.status = 101;
    });
    client.on('unexpected-response', (_request, response) => {
      seen.status = response.statusCode ?? 0;
      seen.meant = String(response.headers['x-lockstep-version'] ?? '');
      seen.code = String(response.headers['x-lockstep-error'] ?? '');
      seen.end = 'whole';
      response.resume();
      client.terminate();
    });
    client.on('message', (data) => {
      const text = String(data);
      if (expected === null) seen.version = (JSON.parse(text) as { version: string }).version;
      else if (text !== expected) seen.isRight = false;
      void sendNext();
    });
    client.on('error', (error) => {
      if (seen.detail === '') seen.detail = error.message;
    });
    client.on('close', (code) => {
      if (seen.end === 'cut' && code === GOING_AWAY) seen.end = 'ended';
      seen.detail = `${seen.detail} closed with ${code}`.trim();
      resolve(seen);
    });
  });
}

function events(origin: string, visitor: Visitor, forMs: number, isOver: () => boolean): Promise<Seen> {
  const seen: Seen = { status: 0, version: '', meant: '', code: '', end: 'cut', isRight: true, detail: '' };
  const untilMs = performance.now() + forMs;
  return new Promise((resolve) => {
    const outgoing = request(`${origin}/sse`, {
      agent: false,
      headers: { ...visitor.identity, accept: 'text/event-stream', 'sec-fetch-dest': 'empty' },
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      seen.detail = error.code ?? error.message;
      resolve(seen);
    });
    outgoing.on('response', (incoming) => {
      seen.status = incoming.statusCode ?? 0;
      seen.version = String(incoming.headers['x-app-version'] ?? '');
      seen.meant = String(incoming.headers['x-lockstep-version'] ?? '');
      seen.code = String(incoming.headers['x-lockstep-error'] ?? '');
      let text = '';
      incoming.on('data', (part: Buffer) => {
        text += part.toString();
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) if (!block.endsWith(`data: ${seen.version}`)) seen.isRight = false;
        if (performance.now() < untilMs && !isOver()) return;
        seen.end = 'whole';
        outgoing.destroy();
        resolve(seen);
      });
      incoming.on('error', (error: NodeJS.ErrnoException) => {
        seen.detail ||= error.code ?? error.message;
        resolve(seen);
      });
      incoming.on('end', () => {
        if (seen.end === 'cut') seen.end = seen.status === 200 ? 'ended' : 'whole';
        if (seen.status !== 200) seen.isRight = true;
        resolve(seen);
      });
    });
    outgoing.end();
  });
}
