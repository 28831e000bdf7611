// The servers of all sources out of the configuration, joined to the state directory and to who is to know of them. It joins
// parts, so it stands beside main.

import type { Config } from './config/config.ts';
import { systemClock } from './control/clock.ts';
import type { Controller } from './control/controller.ts';
import type { WhyForbidden } from './control/forbidden-names.ts';
import type { OwnListener } from './control/own-listeners.ts';
import type { StateFolder } from './control/state-folder.ts';
import type { StopWish } from './core/may-stop.ts';
import type { ServerPlace } from './core/server-report.ts';
import type { UnitedServer } from './core/server-union.ts';
import type { AuditEntry, GatewayEvent, Status } from './core/status.ts';
import type { Log } from './observe/log.ts';
import { ServerChanges } from './server-changes.ts';
import { createResolver } from './servers/dns-look.ts';
import type { ServersChanged } from './servers/registry.ts';
import { Servers } from './servers/servers.ts';

export interface ServerSurroundings {
  readonly state: Pick<StateFolder, 'loadServers' | 'saveServers'>;
  /** Asked when the control plane has started. */
  readonly status: () => Status;
  readonly mayStop: Controller['mayStop'];
  readonly whyForbidden: WhyForbidden;
  readonly ownListener: OwnListener;
  readonly tell: (type: GatewayEvent['type'], detail: GatewayEvent['detail']) => void;
  readonly note: (entry: Pick<AuditEntry, 'by' | 'verb' | 'detail' | 'code'>) => Promise<void>;
  /** At each change. `isWhole`: all who tell of some have done so. */
  readonly onServers: (servers: readonly UnitedServer[], isWhole: boolean) => void;
  readonly log: Log;
}

export interface OpenedServers {
  readonly servers: Servers;
  readonly changes: ServerChanges;
}

/** Throws StateError when what is stored of them is damaged. */
export async function openServers(config: Config, surroundings: ServerSurroundings): Promise<OpenedServers> {
  const { state, status, mayStop, whyForbidden, ownListener, tell, note, onServers, log } = surroundings;
  const isHaproxyDriven = config.haproxy !== null;
  const servers = await Servers.open(config.discovery, isHaproxyDriven, {
    store: { load: () => state.loadServers(), save: (stored) => state.saveServers(stored) },
    clock: systemClock,
    createResolver,
    whyForbidden,
    whyNot: (address) => {
      const own = ownListener(address);
      return own === null ? null : `where ${own} listens`;
    },
    onTrouble: ({ source, of }, why) => {
      const about = { source, of };
      if (why === null) log.info(about, 'a source of servers tells of them again');
      else log.warn({ ...about, why }, 'a source of servers cannot be had: what it told last stays in force');
      tell(why === null ? 'server-source-recovered' : 'server-source-failed', {
        ...about,
        ...(why !== null && { why }),
      });
    },
    onRefused: ({ source, of }, why) => {
      log.warn({ source, of, why }, 'a source tells of a server where none can be: it is left out');
      tell('server-forbidden', { source, of, why });
    },
    onUnsaved: (err) =>
      log.error(
        { err },
        'the servers that are known could not be stored: a start would not know of the latest',
      ),
  });
  servers.registry.onChange((change) => {
    tellChange(change, surroundings);
    onServers(change.servers, servers.isWhole);
  });
  const changes = new ServerChanges({
    servers,
    epoch: () => status().epoch,
    places: () => placesOf(status()),
    whyStranded: (address, leaves) => whyStranded(mayStop, address, leaves),
    whyForbidden,
    ownListener,
    note,
    wallMs: systemClock.wallMs,
  });
  return { servers, changes };
}

/** What sources told is audited as what Lockstep did; what an operator did, where it is judged. */
function tellChange({ added, removed, by }: ServersChanged, { tell, note, log }: ServerSurroundings): void {
  const told = [
    ...added.map((server) => ({ type: 'server-added' as const, server })),
    ...removed.map((server) => ({ type: 'server-removed' as const, server })),
  ];
  for (const { type, server } of told) {
    const { name, address, sources } = server;
    tell(type, { name, address, sources, by: by ?? 'lockstep' });
  }
  if (by !== null || told.length === 0) return;
  const detail = {
    added: added.map(({ address }) => address),
    removed: removed.map(({ address }) => address),
  };
  log.info(detail, 'the servers are others than before');
  void note({ by: 'lockstep', verb: 'servers', detail, code: null });
}

/** By address. */
function placesOf({
  versions,
  discovery,
}: Pick<Status, 'versions' | 'discovery'>): ReadonlyMap<string, ServerPlace> {
  const health = new Map(
    versions.flatMap(({ id, upstreams }) =>
      upstreams.map((upstream) => [`${id} ${upstream.address}`, upstream.health] as const),
    ),
  );
  return new Map(
    (discovery?.servers ?? []).map(({ address, version, reported, why }) => [
      address,
      { version, health: health.get(`${version} ${address}`) ?? 'unknown', reported, why },
    ]),
  );
}

/** What `lockstep may-stop` would say. */
async function whyStranded(
  mayStop: ServerSurroundings['mayStop'],
  address: string,
  leaves: NonNullable<StopWish['leaves']> | null,
): Promise<string | null> {
  const wish = { server: address, by: 'lockstep', forMs: 0, keep: 1, dryRun: true };
  const asked = await mayStop({ ...wish, ...(leaves !== null && { leaves }) });
  return asked.ok && !asked.answer.may ? asked.answer.detail : null;
}
