// How farms behind HAProxy are deployed to without Lockstep, each as well as it can be done: nothing is stopped before HAProxy
// has been told, or has seen, that it goes; nothing gets traffic before it was asked for its pages.

import type { WebFarm, WebServer } from '../web-farm.ts';
import { type FarmHaproxy, oneBackend, startFarmHaproxy } from './farm-haproxy.ts';
import { hireOperator, type Operator } from './operator.ts';
import { NEW, type Stage, type Way } from './way.ts';

interface Hands {
  readonly operator: Operator;
  readonly haproxy: FarmHaproxy;
  readonly servers: readonly WebServer[];
}

const BALANCED = 'round robin';
const HELD = '`cookie SRV insert`';

export const ROLLING_BALANCED = oldWay('Rolling restart, health checks', false, rolling);

export const OLD_WAYS: readonly Way[] = [
  oldWay('`sed` and reload, half and half', false, sedAndReload),
  oldWay('`sed` and reload, half and half', true, sedAndReload),
  oldWay('Runtime socket, server by server, `drain` until it is idle', false, byServer(untilIdle)),
  oldWay('Runtime socket, server by server, `drain` until it is idle', true, byServer(untilIdle)),
  oldWay('The same, idle for a whole second', true, byServer(untilLongIdle)),
  ROLLING_BALANCED,
  oldWay('Rolling restart, health checks', true, rolling),
];

function oldWay(title: string, holdsSessions: boolean, deploy: (hands: Hands) => Promise<void>): Way {
  return {
    title: `${title}; ${holdsSessions ? HELD : BALANCED}`,
    holdsSessions,
    stage: async (farm: WebFarm): Promise<Stage> => {
      const haproxy = await startFarmHaproxy(oneBackend(farm, holdsSessions));
      const operator = await hireOperator(farm.deployScript);
      return {
        origin: haproxy.urls[0]!,
        operator,
        deploy: () => deploy({ operator, haproxy, servers: farm.servers }),
        stop: haproxy.stop,
      };
    },
  };
}

/** The see-saw: one half goes, is updated, and comes as the other one goes. */
async function sedAndReload({ operator, haproxy, servers }: Hands): Promise<void> {
  const [first, second] = [servers.slice(0, 2), servers.slice(2)];
  const out = (half: readonly WebServer[]): string => `-e '/server (${namesOf(half)}) /s/$/ disabled/'`;
  const back = (half: readonly WebServer[]): string => `-e '/server (${namesOf(half)}) /s/ disabled$//'`;
  const sed = (...edits: readonly string[]): Promise<string> =>
    operator.types(`sed -Ei ${edits.join(' ')} ${haproxy.file}`);
  const reload = (): Promise<void> => operator.stands('systemctl reload haproxy', haproxy.reload);

  await sed(out(second));
  await reload();
  for (const server of second) await update(operator, server);
  await sed(back(second), out(first));
  await reload();
  for (const server of first) await update(operator, server);
  await sed(back(first));
  await reload();
}

function byServer(
  isEmpty: (hands: Hands, server: WebServer) => Promise<void>,
): (hands: Hands) => Promise<void> {
  return async (hands) => {
    for (const server of hands.servers) {
      await setState(hands, server, 'drain');
      await isEmpty(hands, server);
      await update(hands.operator, server);
      await setState(hands, server, 'ready');
    }
  };
}

/** What scripts wait for: HAProxy counts requests that are under way, and knows nothing of sessions. */
function untilIdle({ operator, haproxy }: Hands, { name }: WebServer): Promise<void> {
  return operator.waits(`until [ "$(scur ${name})" = 0 ]; do sleep 1; done`, async () => {
    const { scur } = await haproxy.statOf(name);
    return scur === '0';
  });
}

/** Who is held to the server keeps it while it drains, so that they are gone when it had nothing to do for long enough. */
function untilLongIdle({ operator, haproxy }: Hands, { name }: WebServer): Promise<void> {
  const line = `until [ "$(scur ${name}) $(rate ${name})" = "0 0" ]; do sleep 1; done`;
  return operator.waits(line, async () => {
    const { scur, rate } = await haproxy.statOf(name);
    return scur === '0' && rate === '0';
  });
}

function setState(
  { operator, haproxy }: Hands,
  { name }: WebServer,
  state: 'ready' | 'drain',
): Promise<string> {
  const line = `set server be_app/${name} state ${state}`;
  return operator.stands(`echo "${line}" | socat - ${haproxy.socket}`, () => haproxy.ask(line));
}

/** HAProxy sees the health check fail, and later succeed. */
async function rolling({ operator, haproxy, servers }: Hands): Promise<void> {
  for (const server of servers) {
    await update(operator, server);
    await operator.waits(`until [ "$(status ${server.name})" = UP ]; do sleep 1; done`, async () => {
      const { status } = await haproxy.statOf(server.name);
      return status === 'UP';
    });
  }
}

async function update(operator: Operator, { name, url }: WebServer): Promise<void> {
  await operator.types(`./deploy.sh ${name} ${NEW}`);
  await operator.types(`curl -fsS ${url}/ -o /dev/null`);
}

function namesOf(servers: readonly WebServer[]): string {
  return servers.map(({ name }) => name).join('|');
}
