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
  oldWay('Runtime socket, server by server, `maint`', false, takeOutByServer),
  oldWay('Runtime socket, server by server, `maint`', true, takeOutByServer),
  oldWay('Runtime socket, server by server, `drain` until a second without requests', true, drainByServer),
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

async function takeOutByServer({ operator, haproxy, servers }: Hands): Promise<void> {
  for (const server of servers) {
    await setState({ operator, haproxy }, server, 'maint');
    await operator.waits(`until [ "$(scur ${server.name})" = 0 ]; do sleep 1; done`, async () => {
      const { scur } = await haproxy.statOf(server.name);
      return scur === '0';
    });
    await update(operator, server);
    await setState({ operator, haproxy }, server, 'ready');
  }
}

/** Who is held to a server keeps it while it drains. When they are gone nobody tells: until it had nothing to do for a second. */
async function drainByServer({ operator, haproxy, servers }: Hands): Promise<void> {
  for (const server of servers) {
    await setState({ operator, haproxy }, server, 'drain');
    await operator.waits(
      `until [ "$(scur ${server.name}) $(rate ${server.name})" = "0 0" ]; do sleep 1; done`,
      async () => {
        const { scur, rate } = await haproxy.statOf(server.name);
        return scur === '0' && rate === '0';
      },
    );
    await update(operator, server);
    await setState({ operator, haproxy }, server, 'ready');
  }
}

function setState(
  { operator, haproxy }: Pick<Hands, 'operator' | 'haproxy'>,
  { name }: WebServer,
  state: 'ready' | 'drain' | 'maint',
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
