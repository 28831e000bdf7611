import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { statusOf } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { ask } from './http.ts';

let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([]));
  admin = await startAdmin(control, { heartbeatMs: 20 });
  control.emit('started', null);
  control.emit('promoted', 'v2');
});
afterEach(() => admin.close());

async function follow(headers: Record<string, string> = {}) {
  const client = new AbortController();
  const answer = await fetch(`${admin.url}/v1/events`, { headers, signal: client.signal });
  let text = '';
  const ended = (async () => {
    for await (const bytes of answer.body!) text += Buffer.from(bytes).toString();
    return 'ended';
  })().catch(() => 'aborted');
  const types = () => [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  return { answer, types, text: () => text, ended, leave: () => client.abort() };
}

test('a new client gets what happens from now on, one event with its id and JSON at a time', async () => {
  const stream = await follow();
  expect(stream.answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(stream.answer.headers.get('cache-control')).toBe('no-store');
  control.emit('draining', 'v1');
  await vi.waitFor(() => expect(stream.types()).toEqual(['draining']));
  expect(stream.text()).toMatch(/^id: 3\nevent: draining\ndata: \{"id":3,.*"version":"v1".*\}\n\n/m);
  stream.leave();
});

test.each([
  { lastEventId: '0', want: ['started', 'promoted', 'draining'] },
  { lastEventId: '1', want: ['promoted', 'draining'] },
  { lastEventId: '2', want: ['draining'] },
  { lastEventId: '900', want: ['started', 'promoted', 'draining'] },
])('a client that has seen event $lastEventId gets $want', async ({ lastEventId, want }) => {
  const stream = await follow({ 'last-event-id': lastEventId });
  control.emit('draining', 'v1');
  await vi.waitFor(() => expect(stream.types()).toEqual(want));
  stream.leave();
});

test.each(['x', '-1', '1.5'])('Last-Event-ID %s is a 400', async (field) => {
  const answer = await ask(`${admin.url}/v1/events`, { headers: { 'last-event-id': field } });
  expect(answer).toMatchObject({ status: 400, json: { code: 'bad-value' } });
});

test('a silent stream says that it is alive', async () => {
  const stream = await follow();
  await vi.waitFor(() => expect(stream.text().match(/^: alive$/gm)?.length).toBeGreaterThan(1));
  stream.leave();
});

test('a client that goes away is no longer told', async () => {
  const stream = await follow();
  expect(control.listeners()).toBe(1);
  stream.leave();
  await vi.waitFor(() => expect(control.listeners()).toBe(0));
});

test('closing ends every stream properly', async () => {
  const streams = await Promise.all([follow(), follow()]);
  await admin.close();
  expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(['ended', 'ended']);
  expect(control.listeners()).toBe(0);
});

test('a client that does not read is cut', async () => {
  const { request } = await import('undici');
  const stream = await request(`${admin.url}/v1/events`);
  stream.body.on('error', () => {}); // that it is cut is the point
  await vi.waitFor(
    () => {
      for (let n = 0; n < 2000; n++) control.emit('unhealthy', 'v'.repeat(500));
      expect(control.listeners()).toBe(0);
    },
    { timeout: 20_000, interval: 1 },
  );
});

test('an event that comes just as a stream ends is not written to it: that would end the process', async () => {
  const token = { name: 'ci', token: 'operator-token-0123456789abcdef', role: 'operator' } as const;
  const guarded = await startAdmin(control, { tokens: [token], heartbeatMs: 5 });
  const faults: unknown[] = [];
  const onFault = (error: unknown) => void faults.push(error);
  process.on('uncaughtException', onFault);
  try {
    const socket = connect(guarded.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token.token}\r\n\r\n`,
    );
    await vi.waitUntil(() => control.listeners() === 1);
    // In one turn: the end is not out yet when the next event comes.
    guarded.setTokens([{ ...token, token: 'another-token-0123456789abcdef' }]);
    control.emit('promoted', 'v2');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(control.listeners()).toBe(0);
    expect(faults).toEqual([]);
    socket.destroy();
  } finally {
    process.off('uncaughtException', onFault);
    await guarded.close();
  }
});
