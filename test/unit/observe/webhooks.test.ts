import { describe, expect, test } from 'vitest';
import type { EventType, GatewayEvent } from '../../../src/core/status.ts';
import { type Post, type PostOutcome, signature, signed } from '../../../src/observe/webhook-post.ts';
import { type Hook, Webhooks } from '../../../src/observe/webhooks.ts';

const SECRET = 'kR7-vq2_Xm9tB4wz';
const CHAT: Hook = {
  on: ['promoted', 'drained'],
  url: 'https://chat.example/hooks/T0KEN?key=S3',
  secret: SECRET,
};

const event = (id: number, type: EventType = 'promoted'): GatewayEvent => ({
  id,
  time: '2026-03-01T03:12:00.000Z',
  type,
  version: 'v2',
  detail: { by: 'ci' },
});
const refused = (why: string, mayRetry = true): PostOutcome => ({ ok: false, mayRetry, why });

/** Answers what `outcomes` says, then that all is well; timers run when the test says so. */
function scene(hooks: readonly Hook[] = [CHAT], outcomes: (PostOutcome | 'hangs')[] = []) {
  const posts: { url: string; headers: Readonly<Record<string, string>>; body: string }[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const warnings: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  let ids = 0;
  const post: Post = async (url, headers, body, signal) => {
    posts.push({ url, headers, body });
    const outcome = outcomes.shift() ?? { ok: true };
    if (outcome !== 'hangs') return outcome;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return refused('UND_ERR_ABORTED');
  };
  const webhooks = new Webhooks(hooks, {
    post,
    wallMs: () => 1_772_000_000_900,
    after: (ms, run) => {
      const timer = { ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0);
    },
    random: () => 0.5,
    newId: () => `delivery-${++ids}`,
    warn: (message, fields) => warnings.push({ message, fields }),
  });
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  const fire = async () => {
    timers.shift()?.run();
    await settle();
  };
  const sent = () => posts.map(({ body }) => (JSON.parse(body) as GatewayEvent).id);
  return { webhooks, posts, timers, warnings, settle, fire, sent };
}

test('an event goes to the hooks that name it, as JSON, with its signature', async () => {
  const other: Hook = { on: ['unhealthy'], url: 'http://10.0.0.1/', secret: null };
  const { webhooks, posts, settle } = scene([CHAT, other]);
  webhooks.tell(event(1));
  webhooks.tell(event(2, 'unhealthy'));
  webhooks.tell(event(3, 'started'));
  await settle();
  expect(posts.map(({ url }) => url)).toEqual([CHAT.url, other.url]);
  expect(JSON.parse(posts[0]!.body)).toEqual(event(1));
  expect(posts[0]!.headers).toEqual({
    'content-type': 'application/json',
    'user-agent': 'lockstep-webhook',
    'x-lockstep-event': 'promoted',
    'x-lockstep-delivery': 'delivery-1',
    'x-lockstep-timestamp': '1772000000',
    'x-lockstep-signature': `sha256=${signature(SECRET, '1772000000', posts[0]!.body)}`,
  });
  expect(posts[1]!.headers).not.toHaveProperty('x-lockstep-signature');
  expect(webhooks.counts).toEqual({ delivered: 2, failed: 0, dropped: 0, retries: 0, pending: 0 });
});

test('a signature is the HMAC of timestamp and body, and differs with each of them and with the key', () => {
  // printf '%s' '1772000000.{"id":1}' | openssl dgst -sha256 -hmac kR7-vq2_Xm9tB4wz
  const known = '681c83aa69fb3eb91fc20bd4c9da95025683d16baf3f51fe7bcf9da9404daad0';
  expect(signature(SECRET, '1772000000', '{"id":1}')).toBe(known);
  const others = [
    signature(SECRET, '1772000001', '{"id":1}'),
    signature(SECRET, '1772000000', '{"id":2}'),
    signature(`${SECRET}x`, '1772000000', '{"id":1}'),
  ];
  expect(new Set([known, ...others]).size).toBe(4);
  expect(signed({ id: 'a', type: 'put', body: '', secret: null, nowMs: 0 })).not.toHaveProperty(
    'x-lockstep-signature',
  );
});

describe('a delivery that fails', () => {
  test('is tried again, later each time, under the same id, and its followers wait', async () => {
    const { webhooks, posts, timers, fire, settle, sent } = scene(
      [CHAT],
      [refused('status 500'), refused('ECONNREFUSED')],
    );
    webhooks.tell(event(1));
    webhooks.tell(event(2));
    await settle();
    expect(timers.map(({ ms }) => ms)).toEqual([1_000]);
    await fire();
    expect(timers.map(({ ms }) => ms)).toEqual([5_000]);
    expect(webhooks.counts).toMatchObject({ delivered: 0, retries: 1, pending: 2 });
    await fire();
    expect(sent()).toEqual([1, 1, 1, 2]);
    expect(new Set(posts.slice(0, 3).map(({ headers }) => headers['x-lockstep-delivery']))).toEqual(
      new Set(['delivery-1']),
    );
    expect(webhooks.counts).toEqual({ delivered: 2, failed: 0, dropped: 0, retries: 2, pending: 0 });
  });

  test('is given up after five attempts, which is said and counted, and the next one goes out', async () => {
    const { webhooks, warnings, timers, fire, settle, sent } = scene(
      [CHAT],
      Array.from({ length: 5 }, () => refused('status 503')),
    );
    webhooks.tell(event(1));
    webhooks.tell(event(2));
    await settle();
    const waits: number[] = [];
    while (timers.length > 0) {
      waits.push(timers[0]!.ms);
      await fire();
    }
    expect(waits).toEqual([1_000, 5_000, 25_000, 125_000]);
    expect(sent()).toEqual([1, 1, 1, 1, 1, 2]);
    expect(webhooks.counts).toMatchObject({ delivered: 1, failed: 1, retries: 4 });
    expect(warnings.at(-1)).toEqual({
      message: 'a webhook was not delivered',
      fields: { host: 'chat.example', event: 'promoted', eventId: 1, attempts: 5, why: 'status 503' },
    });
  });

  test('for good is not tried again', async () => {
    const { webhooks, timers, settle } = scene([CHAT], [refused('status 410', false)]);
    webhooks.tell(event(1));
    await settle();
    expect([timers.length, webhooks.counts]).toEqual([0, expect.objectContaining({ failed: 1, retries: 0 })]);
  });

  test('tells the log neither the path, nor the query, nor the secret', async () => {
    const { webhooks, warnings, fire, settle } = scene([CHAT], [refused('x'), refused('y', false)]);
    webhooks.tell(event(1));
    await settle();
    await fire();
    expect(warnings).toHaveLength(2);
    for (const word of ['T0KEN', 'S3', SECRET]) expect(JSON.stringify(warnings)).not.toContain(word);
  });

  test('by an exception harms nobody', async () => {
    const broken: Post = () => Promise.reject(new Error('https://chat.example/hooks/T0KEN'));
    const warnings: unknown[] = [];
    const webhooks = new Webhooks([CHAT], {
      post: broken,
      wallMs: () => 0,
      after: () => () => {},
      random: () => 0,
      newId: () => '1',
      warn: (...all) => warnings.push(all),
    });
    webhooks.tell(event(1));
    await webhooks.close();
    expect(webhooks.counts.failed).toBe(1);
    expect(JSON.stringify(warnings)).not.toContain('T0KEN');
  });
});

test('a queue that is full loses its oldest, never the one under way', async () => {
  const { webhooks, sent, fire, settle, warnings } = scene([CHAT], [refused('status 500')]);
  for (let id = 1; id <= 104; id++) webhooks.tell(event(id));
  await settle();
  expect(webhooks.counts).toMatchObject({ dropped: 3, pending: 101 });
  expect(warnings.filter(({ message }) => message === 'a webhook was dropped')).toHaveLength(3);
  await fire();
  for (let turn = 0; turn < 20; turn++) await settle();
  expect(sent().slice(0, 4)).toEqual([1, 1, 5, 6]);
  expect(webhooks.counts).toMatchObject({ delivered: 101, pending: 0 });
});

test('a hook that hangs holds up no other', async () => {
  const other: Hook = { on: ['promoted'], url: 'http://10.0.0.1/', secret: null };
  const { webhooks, posts, settle } = scene([CHAT, other], ['hangs']);
  webhooks.tell(event(1));
  webhooks.tell(event(2));
  await settle();
  expect(posts.map(({ url }) => new URL(url).host)).toEqual(['chat.example', '10.0.0.1', '10.0.0.1']);
});

describe('at the end', () => {
  test('what waits for another attempt has it at once, and only it', async () => {
    const { webhooks, timers, settle, sent } = scene([CHAT], [refused('status 500'), refused('status 500')]);
    webhooks.tell(event(1));
    webhooks.tell(event(2));
    await settle();
    await webhooks.close();
    expect(sent()).toEqual([1, 1, 2]);
    expect(webhooks.counts).toMatchObject({ delivered: 1, failed: 1, pending: 0 });
    expect(timers).toEqual([]);
    webhooks.tell(event(3));
    await settle();
    expect(sent()).toEqual([1, 1, 2]);
  });

  test('a receiver that hangs is cut, and what waits for it is dropped', async () => {
    const { webhooks, timers, settle } = scene([CHAT], ['hangs']);
    webhooks.tell(event(1));
    webhooks.tell(event(2));
    await settle();
    const closed = webhooks.close();
    expect(timers.map(({ ms }) => ms)).toEqual([2_000]);
    timers[0]!.run();
    await closed;
    await settle();
    expect(webhooks.counts).toMatchObject({ delivered: 0, dropped: 2, pending: 0 });
  });
});

describe('a reload', () => {
  test('keeps the queue of a hook that stays, with its new secret and events', async () => {
    const { webhooks, posts, fire, settle } = scene([CHAT], [refused('status 500')]);
    webhooks.tell(event(1));
    await settle();
    webhooks.configure([{ ...CHAT, on: ['unhealthy'], secret: null }]);
    await fire();
    webhooks.tell(event(2));
    webhooks.tell(event(3, 'unhealthy'));
    await settle();
    expect(posts.map(({ headers }) => 'x-lockstep-signature' in headers)).toEqual([true, false, false]);
    expect(webhooks.counts).toMatchObject({ delivered: 2, pending: 0 });
  });

  test('drops what waits for a hook that is gone', async () => {
    const { webhooks, timers, settle } = scene([CHAT], [refused('status 500')]);
    webhooks.tell(event(1));
    webhooks.tell(event(2));
    await settle();
    webhooks.configure([]);
    await settle();
    expect([timers.length, webhooks.counts]).toEqual([
      0,
      expect.objectContaining({ dropped: 2, pending: 0 }),
    ]);
  });
});
