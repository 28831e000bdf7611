// Webhooks end to end: a gateway tells a receiver what happens; one that fails is asked again, one that hangs holds up
// neither a promote nor the end.

import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { GatewayEvent } from '../../src/core/status.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

const SECRET = 'kR7-vq2_Xm9tB4wz';

interface Told {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: GatewayEvent;
}

interface Receiver {
  readonly url: string;
  readonly told: Told[];
  close(): void;
}

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** `answer` says with which status; null: never. */
async function startReceiver(answer: (told: readonly Told[]) => number | null): Promise<Receiver> {
  const told: Told[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    told.push({ headers: request.headers, body, event: JSON.parse(body) });
    const status = answer(told);
    if (status !== null) response.writeHead(status).end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => server.closeAllConnections(),
    () => void server.close(),
  );
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hooks/T0KEN`, told, close: () => server.close() };
}

async function start(hooks: readonly object[]): Promise<TwoVersions> {
  const scene = await startTwoVersions({ more: { hooks } });
  closers.push(() => scene.stop());
  await scene.gateway.admin.wait('v2', 'healthy');
  return scene;
}

test('a promote is told with a signature that the receiver can check, and again when the receiver failed', async () => {
  const receiver = await startReceiver((told) => (told.length === 1 ? 503 : 204));
  const { gateway } = await start([{ on: ['promoted', 'stopping'], url: receiver.url, secret: SECRET }]);
  await gateway.admin.promote('v2');
  const told = await waitFor(() => receiver.told.length === 2 && receiver.told, {
    what: 'the second attempt',
  });
  for (const { headers, body, event } of told) {
    expect(event).toMatchObject({ type: 'promoted', version: 'v2', detail: { by: 'local' } });
    const timestamp = headers['x-lockstep-timestamp'];
    const mac = createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'x-lockstep-event': 'promoted',
      'x-lockstep-signature': `sha256=${mac}`,
    });
  }
  expect(told[1]!.headers['x-lockstep-delivery']).toBe(told[0]!.headers['x-lockstep-delivery']);
  const metrics = (await gateway.admin.call('GET', '/metrics')).text();
  expect(metrics).toContain('lockstep_webhook_deliveries_total{outcome="delivered"} 1\n');
  expect(metrics).toContain('lockstep_webhook_retries_total 1\n');
  await gateway.stop();
  expect(receiver.told.map(({ event }) => event.type)).toEqual(['promoted', 'promoted', 'stopping']);
});

test('a receiver that never answers delays neither a promote nor, beyond two seconds, the end', async () => {
  const receiver = await startReceiver(() => null);
  const { gateway } = await start([{ on: ['promoted', 'stopping'], url: receiver.url }]);
  const began = performance.now();
  await gateway.admin.promote('v2');
  expect(performance.now() - began).toBeLessThan(1_000);
  await waitFor(() => receiver.told.length === 1, { what: 'the delivery to be under way' });
  const stopped = performance.now();
  await gateway.stop();
  expect(performance.now() - stopped).toBeLessThan(3_500);
  expect(receiver.told).toHaveLength(1);
});
