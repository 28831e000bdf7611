// What is served under /.lockstep/, and by whom. It joins parts, so it stands beside main.

import { tmpdir } from 'node:os';
import type { Assets } from './assets/assets.ts';
import type { Config } from './config/config.ts';
import type { InnerSettings } from './core/own.ts';
import type { PageIdentity, PageState } from './core/page-state.ts';
import type { PinScope } from './core/policy.ts';
import { PREVIEW_PATH } from './core/preview.ts';
import { descriptorLimit } from './descriptors.ts';
import { sendJson } from './inner/answers.ts';
import { clientScript } from './inner/client-script.ts';
import { PageEvents } from './inner/page-events.ts';
import { InnerServer, type OwnHandler } from './inner/server.ts';
import type { Log } from './observe/log.ts';
import { LogLimiter } from './observe/log-limiter.ts';
import { wantedBy } from './open-assets.ts';

export interface OwnPathsPorts {
  readonly assets: Assets;
  readonly state: (of: PageIdentity, scope: PinScope) => PageState;
  readonly isKnown: (version: string) => boolean;
  /** Where the links of previews lead. */
  readonly preview: OwnHandler;
}

export interface OwnPaths {
  /** For what others have to serve there; all of it before `settings` is read. */
  readonly inner: InnerServer;
  readonly settings: InnerSettings;
  /** What pages are told may be something else now. */
  changed(): void;
  /** A reload. */
  reconfigure(config: Config): void;
  close(): Promise<void>;
}

/** Proxies in front often end what is silent for 60 s, some for 30 s. */
const HEARTBEAT_MS = 15_000;
/** Of the process's descriptors. A listening page takes three: its own, and both ends of the inner connection. */
const LISTENERS_SHARE = 1 / 8;
/** Where nothing says how many there are. */
const FEW_DESCRIPTORS = 1_024;

export async function openOwnPaths(config: Config, log: Log, ports: OwnPathsPorts): Promise<OwnPaths> {
  const faults = new LogLimiter(log);
  let { limits, pin } = config;
  const state = (of: PageIdentity) => ports.state(of, pin.scope);
  // The state directory serves where nothing may be made in the usual place.
  const inner = await InnerServer.open([tmpdir(), config.stateDir], {
    onFault: (message, err) => faults.warn(message, { err }),
  });
  const descriptorsForThem = Math.floor((descriptorLimit() ?? FEW_DESCRIPTORS) * LISTENERS_SHARE);
  const events = new PageEvents({
    state,
    isKnown: ports.isKnown,
    most: () => Math.min(limits.connections, descriptorsForThem),
    heartbeatMs: () => Math.min(HEARTBEAT_MS, limits.tunnelIdleMs / 3),
    random: Math.random,
  });
  inner.serve('/.lockstep/client.js', clientScript());
  inner.serve('/.lockstep/version', ({ page, pin: session }, answer) =>
    sendJson(answer, state({ page, session })),
  );
  inner.serve(PREVIEW_PATH, ports.preview);
  inner.serveInsteadFor('asset', (request, answer) => ports.assets.answer(wantedBy(request), answer));
  inner.serve('/.lockstep/events', (request, answer) => events.open(request, answer));
  return {
    inner,
    get settings() {
      return inner.settings;
    },
    changed: () => events.changed(),
    reconfigure: (next) => {
      ({ limits, pin } = next);
    },
    close: async () => {
      events.close();
      await inner.close();
    },
  };
}
