import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { ask } from './http.ts';

const v1 = version('v1', { state: 'draining' });
let control: FakeControl;
let admin: TestAdmin;
beforeEach(async () => {
  control = fakeControl(statusOf([v1]));
  admin = await startAdmin(control);
});
afterEach(() => admin.close());

const untilAborted: FakeControl['onWait'] = (_id, _timeoutMs, signal) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () =>
      resolve({ outcome: 'timed-out', detail: 'Not yet.', version: v1 }),
    );
  });

test.each([
  { query: 'for=drained', want: { goal: 'drained', timeoutMs: 30_000 } },
  { query: 'for=healthy&timeout=500ms', want: { goal: 'healthy', timeoutMs: 500 } },
  { query: 'for=drained&timeout=60m', want: { goal: 'drained', timeoutMs: 3_600_000 } },
])('$query waits for $want.goal and $want.timeoutMs ms', async ({ query, want }) => {
  const answer = await ask(`${admin.url}/v1/versions/v1/wait?${query}`);
  expect(answer).toMatchObject({ status: 200, json: { outcome: 'done', version: { id: 'v1' } } });
  expect(control.waits).toMatchObject([want]);
});

test.each([
  '',
  'for=gone',
  'for=drained&timeout=61m',
  'for=drained&timeout=30',
  'for=drained&timeout=-1s',
  'for=drained&x=1',
])('wait?%s is a 400', async (query) => {
  const answer = await ask(`${admin.url}/v1/versions/v1/wait?${query}`);
  expect(answer).toMatchObject({ status: 400, json: { code: 'bad-value' } });
  expect(control.waits).toEqual([]);
});

test('what did not happen in time is a 200 that says so', async () => {
  control.onWait = async () => ({ outcome: 'timed-out', detail: '12 sessions are left.', version: v1 });
  const answer = await ask(`${admin.url}/v1/versions/v1/wait?for=drained`);
  expect(answer).toMatchObject({
    status: 200,
    json: { outcome: 'timed-out', detail: '12 sessions are left.' },
  });
});

test('what can never happen is a 409 wait-failed', async () => {
  control.onWait = async () => ({ outcome: 'failed', detail: 'v1 is active.', version: v1 });
  const answer = await ask(`${admin.url}/v1/versions/v1/wait?for=drained`);
  expect(answer).toMatchObject({ status: 409, json: { code: 'wait-failed', detail: 'v1 is active.' } });
});

test('a client that goes away ends its wait', async () => {
  control.onWait = untilAborted;
  const client = new AbortController();
  const asked = fetch(`${admin.url}/v1/versions/v1/wait?for=drained`, { signal: client.signal });
  await vi.waitFor(() => expect(control.waits).toHaveLength(1));
  expect(control.waits[0]?.signal.aborted).toBe(false);
  client.abort();
  await expect(asked).rejects.toThrow();
  await vi.waitFor(() => expect(control.waits[0]?.signal.aborted).toBe(true));
});

test('closing ends a wait with a 503, and closing twice is closing once', async () => {
  control.onWait = untilAborted;
  const asked = ask(`${admin.url}/v1/versions/v1/wait?for=drained`);
  await vi.waitFor(() => expect(control.waits).toHaveLength(1));
  await Promise.all([admin.close(), admin.close()]);
  expect(await asked).toMatchObject({ status: 503, json: { code: 'stopping' } });
  await expect(ask(`${admin.url}/healthz`)).rejects.toThrow();
});

test('closing waits for no client that holds its connection', async () => {
  control.onWait = () => new Promise(() => {}); // a control plane that never answers
  const asked = ask(`${admin.url}/v1/versions/v1/wait?for=drained`);
  await vi.waitFor(() => expect(control.waits).toHaveLength(1));
  const [closed] = await Promise.all([admin.close().then(() => 'closed'), expect(asked).rejects.toThrow()]);
  expect(closed).toBe('closed');
});

test('a request that arrives whole only after closing began is a 503', async () => {
  const socket = connect(admin.port, '127.0.0.1');
  let came = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    came += text;
  });
  socket.write('POST /v1/versions/v1/drain HTTP/1.1\r\nHost: localhost\r\n');
  // Answered on another connection that came later: the half one has been read by then.
  await ask(`${admin.url}/healthz`);
  const closed = admin.close();
  socket.write('\r\n');
  await closed;
  await vi.waitFor(() => expect(came).toMatch(/^HTTP\/1\.1 503 .*"code":"stopping"/s));
  expect(control.asked).toEqual([]);
  socket.destroy();
});
