// Who visits during a soak: people with pages, assets, AJAX and forms; uploads by length and chunked; downloads, some read
// slowly; servers that misbehave asked for on purpose. Each plays one short session and leaves; `crowd.ts` sends the next.

import { setTimeout as sleep } from 'node:timers/promises';
import { patternHash, patternParts } from '../kit/pattern.ts';
import { between, oneOf, type Random } from '../kit/random.ts';
import { type ApiAnswer, ECHO_HASH } from '../kit/upstream.ts';
import { type Report, Visitor } from './visitor.ts';

export interface Scene {
  readonly origin: string;
  readonly random: Random;
  readonly report: Report;
  /** Everybody is asked to go home. */
  readonly isOver: () => boolean;
}

export type Client = (scene: Scene) => Promise<void>;

const KIB = 1_024;

/** A browser of some seconds: a page, what its script fetches, a form now and then, another page. */
export const person: Client = async (scene) => {
  const { random, isOver } = scene;
  const visitor = new Visitor(scene.origin, scene.report);
  const untilMs = performance.now() + between(random, 2_000, 20_000);
  try {
    while (performance.now() < untilMs && !isOver()) {
      if (visitor.page === '' || random() < 0.15) await visitor.load();
      await sleep(between(random, 50, 300));
      const answers = await Promise.all(['/api/items', '/api/cart'].map((path) => getJson(visitor, path)));
      if (random() < 0.3) answers.push(await postJson(visitor));
      // The page's script does as it is told: a dead pin says "reload".
      if (answers.some((status) => status === 409)) await visitor.load();
    }
  } finally {
    visitor.close();
  }
};

export const uploader: Client = async (scene) => {
  const { random } = scene;
  await withPage(scene, async (visitor) => {
    const bytes = Math.floor(between(random, 1, 512 * KIB));
    const hasLength = random() < 0.5;
    await visitor.ask({
      what: 'sub-request',
      asked: `POST /echo, ${bytes} octets ${hasLength ? 'by length' : 'chunked'}`,
      method: 'POST',
      path: '/echo',
      ...(hasLength ? { headers: { 'content-length': String(bytes) } } : {}),
      body: patternParts(bytes),
      restMs: random() < 0.3 ? 20 : 0,
      isRight: (body, { headers }) =>
        body.toString() === String(bytes) && headers[ECHO_HASH] === patternHash(bytes),
    });
  });
};

export const downloader: Client = (scene) => download(scene, 0);
/** 64 KiB at a time with rests between: the upstream is rested, too. */
export const slowReader: Client = (scene) => download(scene, 40);

export const faultSeeker: Client = async (scene) => {
  await withPage(scene, async (visitor) => {
    const what = oneOf(scene.random, ['reset', 'truncate', 'silence'] as const);
    await visitor.ask({ what, asked: `GET /fault/${what}`, path: `/fault/${what}` });
  });
  await sleep(between(scene.random, 200, 800));
};

/**
 * The gateway remembers its last thousand unusual requests for `lockstep explain` (src/observe/request-trail.ts): with so
 * many of them before anything is measured, that memory is full and grows no more.
 */
export async function fillTrail(scene: Scene): Promise<void> {
  let left = 1_100;
  const fill = (): Promise<void> =>
    withPage(scene, async (visitor) => {
      while (left-- > 0 && !scene.isOver()) {
        await visitor.ask({ what: 'reset', asked: 'GET /fault/reset', path: '/fault/reset' });
      }
    });
  await Promise.all(Array.from({ length: 8 }, fill));
}

function getJson(visitor: Visitor, path: string): Promise<number> {
  return askJson(visitor, 'GET', path);
}

function postJson(visitor: Visitor): Promise<number> {
  return askJson(visitor, 'POST', '/api/cart', Buffer.from('{"item":1}'));
}

async function askJson(visitor: Visitor, method: string, path: string, body?: Buffer): Promise<number> {
  const { outcome } = await visitor.ask({
    what: 'sub-request',
    asked: `${method} ${path}`,
    method,
    path,
    ...(body === undefined ? {} : { headers: { 'content-length': String(body.length) }, body: [body] }),
    isRight: (answer) => {
      const said = JSON.parse(answer.toString()) as ApiAnswer;
      return said.method === method && said.url === path && said.bytes === (body?.length ?? 0);
    },
  });
  return outcome.status;
}

async function download(scene: Scene, restMs: number): Promise<void> {
  const { random } = scene;
  await withPage(scene, async (visitor) => {
    const bytes = Math.floor(between(random, 1, 4_096 * KIB));
    const framing = random() < 0.5 ? '' : '&chunked';
    await visitor.ask({
      what: 'sub-request',
      asked: `GET /bytes, ${bytes} octets${framing}${restMs === 0 ? '' : ', slowly'}`,
      path: `/bytes?n=${bytes}${framing}`,
      restMs,
      isRight: (body) => body.length === bytes && body.equals(Buffer.concat([...patternParts(bytes)])),
    });
  });
}

async function withPage(scene: Scene, use: (visitor: Visitor) => Promise<void>): Promise<void> {
  const visitor = new Visitor(scene.origin, scene.report);
  try {
    if (await visitor.load()) await use(visitor);
  } finally {
    visitor.close();
  }
}
