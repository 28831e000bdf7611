// What cannot be accepted (no descriptor is left: T19's kin) is an error of the listener; one that nobody hears ends the process.

import { Server } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { startGateway } from '../kit/gateway.ts';
import { startUpstream } from '../kit/upstream.ts';

const listening: Server[] = [];
const { listen } = Server.prototype;
afterEach(() => {
  vi.restoreAllMocks();
  listening.length = 0;
});

test('a connection that cannot be accepted ends no process, on whichever of its listeners', async () => {
  vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
    listening.push(this);
    return listen.apply(this, args as Parameters<typeof listen>);
  } as typeof listen);
  const upstream = await startUpstream({ version: 'v1' });
  const before = new Set(listening);
  const gateway = await startGateway({
    versions: { v1: [upstream.url] },
    active: 'v1',
    more: { haproxy: { agent: '127.0.0.1:0' } },
  });
  const own = listening.filter((server) => !before.has(server) && server.listening);
  // For clients, the admin API, agent checks, and the private one.
  expect(own.length).toBeGreaterThanOrEqual(4);
  const error = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
  for (const server of own) expect(() => server.emit('error', error)).not.toThrow();
  await gateway.stop();
  await upstream.stop();
});
