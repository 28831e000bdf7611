// The same deploys with Lockstep: in HAProxy's place, and before HAProxy, where each half of the farm is a frontend.

import type { GatewaySettings } from '../gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../gateway-process.ts';
import { VERSION_FIELD } from '../upstream.ts';
import { waitFor } from '../wait-for.ts';
import type { WebFarm, WebServer } from '../web-farm.ts';
import { backendOf, type FarmHaproxy, oneBackend, startFarmHaproxy } from './farm-haproxy.ts';
import { hireOperator, type Operator } from './operator.ts';
import { NEW, OLD, type Stage, type Way } from './way.ts';

export interface Half {
  readonly servers: readonly WebServer[];
  /** What Lockstep has of it as upstreams. */
  readonly urls: readonly string[];
}

export interface LockstepStage extends Stage {
  readonly gateway: GatewayProcess;
}

/** In HAProxy's place: the servers are the upstreams. */
export const SEE_SAW_IN_PLACE: Way = {
  title: "Lockstep in HAProxy's place, half and half",
  holdsSessions: true,
  stage: async (farm) => {
    const halves = halvesOf(farm, ({ url }) => url);
    const stage = await stageOf(
      farm,
      halves.flatMap(({ urls }) => urls),
    );
    return { ...stage, deploy: () => seeSaw(stage.operator, halves) };
  },
};

/** Before HAProxy, which holds sessions to servers by its cookie: each half is a frontend. */
export const SEE_SAW_IN_FRONT: Way = {
  title: 'Lockstep in front of HAProxy, half and half',
  holdsSessions: true,
  stage: async (farm) => {
    const haproxy = await startFarmHaproxy({
      pools: [farm.servers.slice(0, 2), farm.servers.slice(2)],
      hasCookie: true,
    });
    const [first, second] = haproxy.urls as [string, string];
    const halves: Halves = [
      { servers: farm.servers.slice(0, 2), urls: [first] },
      { servers: farm.servers.slice(2), urls: [second] },
    ];
    const stage = await stageOf(farm, [first, second], haproxy);
    return { ...stage, deploy: () => seeSaw(stage.operator, halves) };
  },
};

/** HAProxy has all four in one backend, for others; Lockstep sets them as it does its own. */
export const SEE_SAW_DRIVING: Way = {
  title: "Lockstep in HAProxy's place, driving it, half and half",
  holdsSessions: true,
  stage: async (farm) => {
    const haproxy = await startFarmHaproxy(oneBackend(farm, false));
    const halves = halvesOf(farm, ({ url }) => url);
    const stage = await stageOf(
      farm,
      halves.flatMap(({ urls }) => urls),
      haproxy,
      {
        more: { haproxy: { sockets: [haproxy.socket], backend: 'be_app', interval: '200ms' } },
      },
    );
    return {
      ...stage,
      deploy: async () => {
        await seeSaw(stage.operator, halves, () => areSet(haproxy, farm, ['MAINT', 'MAINT', 'UP', 'UP']));
        await areSet(haproxy, farm, ['UP', 'UP', 'UP', 'UP']);
      },
    };
  },
};

/**
 * Before HAProxy, one half standing by, and Lockstep sets the servers of both: who is on the site meets each state that HAProxy
 * is given, and no cookie helps where all servers drain.
 */
export const HALVES_DRIVEN: Way = {
  title: 'Lockstep in front of HAProxy, driving it, one half stands by',
  holdsSessions: false,
  stage: async (farm) => {
    const halves = [farm.servers.slice(0, 2), farm.servers.slice(2)] as const;
    const haproxy = await startFarmHaproxy({ pools: halves, hasCookie: false });
    const [first, second] = haproxy.urls as [string, string];
    const [old, next] = halves.map((servers) => servers.map(({ name }) => name));
    const backend = [backendOf(0), backendOf(1)];
    const stage = await stageOf(farm, [first], haproxy, {
      more: {
        haproxy: {
          sockets: [haproxy.socket],
          backend,
          servers: { [OLD]: old, [NEW]: next },
          interval: '200ms',
        },
      },
    });
    const { operator } = stage;
    return {
      ...stage,
      deploy: async () => {
        await update(operator, { servers: halves[1], urls: [second] });
        await operator.types(`lockstep put ${NEW} --upstream ${second}`);
        await operator.types(`lockstep wait ${NEW} --for healthy`);
        await operator.types(`lockstep promote ${NEW}`);
        await operator.types(`lockstep wait ${OLD} --for drained`);
        await areSet(haproxy, farm, ['DRAIN', 'DRAIN', 'UP', 'UP']);
        await operator.types(`lockstep retire ${OLD}`);
        await areSet(haproxy, farm, ['MAINT', 'MAINT', 'UP', 'UP']);
      },
    };
  },
};

/** One half serves, the other one stands by: a deploy is one command, and the next one goes the other way. */
export const DEPLOY = deployOf('`lockstep deploy`, one half stands by', ['v2']);
export const DEPLOY_AND_BACK = deployOf('`lockstep deploy` there and back', ['v2', 'v3']);

function deployOf(title: string, versions: readonly string[]): Way {
  return {
    title: `Lockstep in HAProxy's place, ${title}`,
    holdsSessions: true,
    stage: async (farm) => {
      const halves = halvesOf(farm, ({ url }) => url);
      const stage = await stageOf(farm, halves[0].urls);
      return {
        ...stage,
        deploy: async () => {
          for (const [nth, version] of versions.entries()) {
            const { servers } = halves[(nth + 1) % 2]!;
            const hosts = servers.map(({ name, address }) => `${name}=${address}`).join();
            await stage.operator.types(
              `lockstep deploy ${version} --hosts ${hosts} --each './deploy.sh {host} {version}' --warm / --warm-p95 10s --retire`,
            );
          }
        },
      };
    },
  };
}

/** Servers tell what they run, and are asked for before they are stopped. */
export const ROLLING_ASKED = rollingOf('`may-stop`', (operator, { name }) =>
  operator.types(`lockstep may-stop ${name} --wait`),
);
/** Nobody asks: the last server of a version goes while its sessions are there. */
const ROLLING_UNASKED = rollingOf('nobody asks', async () => '');

function rollingOf(title: string, before: (operator: Operator, server: WebServer) => Promise<string>): Way {
  return {
    title: `Lockstep in HAProxy's place, rolling restart, ${title}`,
    holdsSessions: false,
    stage: async (farm) => {
      const servers = farm.servers.map(({ name, url }) => ({ name, url }));
      const stage = await stageOf(farm, [], null, {
        drain: { navigation: '0s' },
        more: {
          affinity: 'none',
          discovery: { servers, version: { header: VERSION_FIELD }, autoPromote: { share: '50%' } },
        },
      });
      return {
        ...stage,
        deploy: async () => {
          for (const server of farm.servers) {
            await before(stage.operator, server);
            await stage.operator.types(`./deploy.sh ${server.name} ${NEW}`);
          }
        },
      };
    },
  };
}

export const LOCKSTEP_WAYS: readonly Way[] = [
  SEE_SAW_IN_PLACE,
  SEE_SAW_IN_FRONT,
  SEE_SAW_DRIVING,
  HALVES_DRIVEN,
  DEPLOY,
  ROLLING_ASKED,
  ROLLING_UNASKED,
];

/** As HAProxy calls them in `show stat`. */
async function areSet(haproxy: FarmHaproxy, { servers }: WebFarm, want: readonly string[]): Promise<void> {
  const find = async (): Promise<readonly string[]> =>
    Promise.all(servers.map(async ({ name }) => (await haproxy.statOf(name))['status'] ?? ''));
  await waitFor(async () => (await find()).join() === want.join(), {
    what: `HAProxy's servers to be ${want.join(', ')}`,
    timeoutMs: 30_000,
  });
}

type Halves = readonly [Half, Half];

function halvesOf({ servers }: WebFarm, urlOf: (server: WebServer) => string): Halves {
  const half = (some: readonly WebServer[]): Half => ({ servers: some, urls: some.map(urlOf) });
  return [half(servers.slice(0, 2)), half(servers.slice(2))];
}

async function stageOf(
  farm: WebFarm,
  upstreams: readonly string[],
  haproxy: FarmHaproxy | null = null,
  settings: GatewaySettings = {},
): Promise<Omit<LockstepStage, 'deploy'>> {
  const started: { stop(): Promise<unknown> }[] = haproxy === null ? [] : [haproxy];
  const stop = async (): Promise<void> => {
    for (const one of started) await one.stop();
  };
  try {
    const gateway = await startGatewayProcess({
      // So short that a drain is watched, so long that nobody here is idle for it.
      cookie: { idle: '3s' },
      // Nobody is ill for want of a core.
      health: { path: '/healthz', timeout: '5s' },
      ...settings,
      more: { affinity: 'upstream', ...settings.more },
    });
    started.unshift(gateway);
    if (upstreams.length > 0) {
      await gateway.admin.put(OLD, upstreams);
      await gateway.admin.wait(OLD, 'healthy');
      await gateway.admin.promote(OLD);
    }
    // Where none are given, they are found.
    const isActive = async (): Promise<boolean> => (await gateway.admin.status()).active === OLD;
    await waitFor(isActive, { what: `${OLD} to be active`, timeoutMs: 30_000 });
    const operator = await hireOperator(farm.deployScript, gateway.admin.url);
    return { origin: gateway.url, gateway, operator, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One half goes, is updated and gets the new sessions; when nobody is left on the other one, that follows. */
async function seeSaw(
  operator: Operator,
  [first, second]: Halves,
  onRetired: () => Promise<void> = async () => {},
): Promise<void> {
  const put = (version: string, ...halves: readonly Half[]): Promise<string> =>
    operator.types(
      `lockstep put ${version} ${halves.flatMap(({ urls }) => urls.map((url) => `--upstream ${url}`)).join(' ')}`,
    );
  await put(OLD, first);
  await update(operator, second);
  await put(NEW, second);
  await operator.types(`lockstep wait ${NEW} --for healthy`);
  await operator.types(`lockstep promote ${NEW}`);
  await operator.types(`lockstep wait ${OLD} --for drained`);
  await operator.types(`lockstep retire ${OLD}`);
  await onRetired();
  await update(operator, first);
  await put(NEW, first, second);
}

async function update(operator: Operator, { servers }: Half): Promise<void> {
  for (const { name, url } of servers) {
    await operator.types(`./deploy.sh ${name} ${NEW}`);
    await operator.types(`curl -fsS ${url}/ -o /dev/null`);
  }
}
