// Web servers, a HAProxy in front of them or beside the gateway, and a gateway that drives it.

import type { GatewayEvent } from '../../../src/core/status.ts';
import { type DrivenHaproxy, type DrivenOptions, startDrivenHaproxy } from '../../kit/driven-haproxy.ts';
import { startGateway, type TestGateway } from '../../kit/gateway.ts';
import type { GatewaySettings } from '../../kit/gateway-config.ts';
import { startUpstream, type Upstream } from '../../kit/upstream.ts';
import { waitFor } from '../../kit/wait-for.ts';

export const NAMES = ['web01', 'web02', 'web03', 'web04'] as const;

export interface Scene {
  /** web01 and web02 run v1, web03 and web04 v2. */
  readonly servers: readonly Upstream[];
  startHaproxy(options?: Partial<DrivenOptions>): Promise<DrivenHaproxy>;
  /** v1 is active, v2 staged, unless the settings say otherwise; drives the sockets that `haproxy` names. */
  startGateway(haproxy: Readonly<Record<string, unknown>>, settings?: GatewaySettings): Promise<TestGateway>;
  stop(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const servers = await Promise.all(
    NAMES.map((server, at) => startUpstream({ version: at < 2 ? 'v1' : 'v2', server })),
  );
  const started: { stop(): Promise<unknown> }[] = [];
  const urls = servers.map(({ url }) => url);
  return {
    servers,
    startHaproxy: async (options = {}) => {
      const all = servers.map(({ address }, at) => ({ name: NAMES[at]!, address }));
      const haproxy = await startDrivenHaproxy({ servers: all, ...options });
      started.push(haproxy);
      return haproxy;
    },
    startGateway: async (haproxy, settings = {}) => {
      const gateway = await startGateway({
        versions: { v1: urls.slice(0, 2), v2: urls.slice(2) },
        active: 'v1',
        cookie: { idle: '1s' },
        ...settings,
        more: {
          haproxy: { backend: 'be_app', interval: '200ms', timeout: '1s', ...haproxy },
          ...settings.more,
        },
      });
      started.push(gateway);
      return gateway;
    },
    stop: async () => {
      // The gateways first: they hold what the others serve.
      for (const one of started.reverse()) await one.stop();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** `want`: of each server, in their order. */
export function statesAre(haproxy: DrivenHaproxy, want: string): Promise<unknown> {
  return waitFor(async () => Object.values(await haproxy.states()).join(' ') === want, {
    what: `the servers to be ${want}`,
    timeoutMs: 20_000,
  });
}

/** Of that type, all that were told of so far. */
export async function eventsOf(gateway: TestGateway, type: string): Promise<readonly GatewayEvent[]> {
  const end = new AbortController();
  const response = await fetch(`${gateway.admin.url}/v1/events`, {
    headers: { 'last-event-id': '0' },
    signal: end.signal,
  });
  // What is remembered comes in one piece, at once.
  const { value } = await response.body!.getReader().read();
  end.abort();
  return [...new TextDecoder().decode(value).matchAll(/^data: ?(.*)$/gm)]
    .map(([, data]) => JSON.parse(data!) as GatewayEvent)
    .filter((event) => event.type === type);
}

/** The first of that type, when it is told of. */
export function eventOf(gateway: TestGateway, type: string): Promise<GatewayEvent> {
  return waitFor(async () => (await eventsOf(gateway, type))[0], {
    what: `the event ${type}`,
    timeoutMs: 20_000,
    everyMs: 100,
  });
}
