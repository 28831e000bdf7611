// Something of the gateway's own throws while a request is judged, answered or recorded: that request gets a 500 or a
// closed connection, the others notice nothing, and the process lives.

import { afterEach, expect, test } from 'vitest';
import type { EnginePorts } from '../../src/engine/contract.ts';
import { WireEngine } from '../../src/wire/engine.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { httpRequest } from '../kit/http-request.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startUpstream } from '../kit/upstream.ts';

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A gateway whose data plane throws where `throwing` says, for the path /throw only. */
async function throwingAt(throwing: 'decide' | 'answer' | 'record'): Promise<TestGateway> {
  const upstream = await startUpstream({ version: 'v1' });
  stops.push(() => upstream.stop());
  const original = WireEngine.prototype.listen;
  WireEngine.prototype.listen = function listen(this: WireEngine) {
    sabotage(this.ports, throwing);
    return original.call(this);
  };
  try {
    const gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1' });
    stops.push(() => gateway.stop());
    return gateway;
  } finally {
    WireEngine.prototype.listen = original;
  }
}

function sabotage(ports: EnginePorts, throwing: 'decide' | 'answer' | 'record'): void {
  const blow = () => {
    throw new Error('thrown by the test');
  };
  const { steering } = ports;
  const { decide, answer } = steering;
  if (throwing === 'record') {
    const record = ports.record;
    Object.assign(ports, {
      record: (exchange: Parameters<typeof record>[0]) =>
        exchange.url === '/throw' ? blow() : record(exchange),
    });
  } else if (throwing === 'decide') {
    steering.decide = (facts, ...rest) =>
      facts.target === '/throw' ? blow() : decide.call(steering, facts, ...rest);
  } else {
    steering.answer = (decision, facts, ...rest) =>
      facts.target === '/throw' ? blow() : answer.call(steering, decision, facts, ...rest);
  }
}

test.each(['decide', 'answer', 'record'] as const)(
  'an exception in %s costs its request and no other',
  async (where) => {
    const gateway = await throwingAt(where);
    for (let i = 0; i < 3; i++) {
      const client = await rawClient(gateway);
      await client.send('GET /throw HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.waitForEnd();
      const text = client.rest().toString('latin1');
      if (where !== 'record') expect(text).toMatch(/^HTTP\/1\.1 500 /);
      expect((await httpRequest(`${gateway.url}/api/after`)).status).toBe(200);
    }
  },
);
