// Servers web01, web02, … that a hook updates: it asks the farm, as a deploy script asks a machine, and the farm ends the
// server and starts it again on its port with the new version. Beside it a gateway, and `lockstep deploy` run in the
// test's own process, as typed. What a server does with its hook, or after it, the test says.

import { createServer } from 'node:http';
import { join } from 'node:path';
import { run } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type FakeTerminal, fakeTerminal } from '../integration/admin/fake-terminal.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { type GatewaySettings, type TemporaryFolder, temporaryFolder } from './gateway-config.ts';
import { startUpstream, type Upstream } from './upstream.ts';

export interface FarmHost {
  readonly name: string;
  readonly address: string;
  /** What runs there now. */
  readonly version: () => string;
  /** Hooks that asked for it so far. */
  readonly updates: () => number;
  /** Of the next hooks: an HTTP status other than 200 makes them fail. */
  hookStatus: number;
  /** The hook waits so long for its answer. */
  hookMs: number;
  /** What it says that it runs; null: nothing. Left out: what it runs. */
  says?: string | null;
  /** It does not come back after an update. */
  staysDown: boolean;
  /** Of its pages when it is warmed up, and of /page otherwise. */
  warmStatus: number;
  /** What each of them takes. */
  warmMs: number;
  pageStatus: number;
  kill(): Promise<void>;
  revive(): Promise<void>;
}

export interface DeployFarm {
  readonly hosts: Readonly<Record<string, FarmHost>>;
  /** The command for --each. */
  readonly hook: string;
  /** web03=127.0.0.1:…,… for --hosts */
  readonly named: (...names: readonly string[]) => string;
  readonly urls: (...names: readonly string[]) => readonly string[];
  stop(): Promise<void>;
}

export async function startDeployFarm(
  first: Readonly<Record<string, readonly string[]>>,
): Promise<DeployFarm> {
  const hosts: Record<string, FarmHost> = {};
  const running: Record<string, Upstream> = {};
  for (const [version, names] of Object.entries(first)) {
    for (const name of names) await startHost(name, version, hosts, running);
  }
  const control = createServer((request, response) => {
    const [, name = '', version = ''] = (request.url ?? '').split('/');
    const host = hosts[name];
    if (host === undefined) {
      response.writeHead(404).end();
      return;
    }
    // A script whose caller was interrupted does nothing more.
    const isGone = () => response.destroyed;
    const answer = async () => {
      const status = await (host as UpdatableHost).update(version, isGone);
      response.writeHead(status).end(`${name} runs ${version} now\n`);
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((listening) => control.listen(0, '127.0.0.1', listening));
  const { port } = control.address() as { port: number };
  return {
    hosts,
    hook: `curl -fsS http://127.0.0.1:${port}/{host}/{version}`,
    named: (...names) => names.map((name) => `${name}=${hosts[name]!.address}`).join(','),
    urls: (...names) => names.map((name) => `http://${hosts[name]!.address}`),
    stop: async () => {
      control.closeAllConnections();
      await new Promise((closed) => control.close(closed));
      await Promise.all(Object.values(running).map((upstream) => upstream.stop()));
    },
  };
}

interface UpdatableHost extends FarmHost {
  address: string;
  update(version: string, isGone: () => boolean): Promise<number>;
}

async function startHost(
  name: string,
  first: string,
  hosts: Record<string, FarmHost>,
  running: Record<string, Upstream>,
): Promise<void> {
  let current = first;
  let updates = 0;
  const start = (port?: number) =>
    startUpstream({
      version: current,
      server: name,
      ...(port !== undefined && { port }),
      handle: (request, response) => {
        const { says } = host;
        if (says === null) response.removeHeader('x-app-version');
        else if (says !== undefined) response.setHeader('x-app-version', says);
        const isWarmUp = request.headers['user-agent'] === 'lockstep-warm';
        if (!isWarmUp && request.url !== '/page') return false;
        response.statusCode = isWarmUp ? host.warmStatus : host.pageStatus;
        setTimeout(() => response.end(current), isWarmUp ? host.warmMs : 0);
        return true;
      },
    });
  const host = {
    name,
    address: '',
    version: () => current,
    updates: () => updates,
    hookStatus: 200,
    hookMs: 0,
    staysDown: false,
    warmStatus: 200,
    warmMs: 0,
    pageStatus: 200,
    kill: () => running[name]!.kill(),
    revive: async () => {
      running[name] = await start(running[name]!.port);
    },
    update: async (version: string, isGone: () => boolean) => {
      updates++;
      if (host.hookMs > 0) await new Promise((later) => setTimeout(later, host.hookMs));
      if (isGone()) return 200;
      if (host.hookStatus !== 200) return host.hookStatus;
      await running[name]!.kill();
      current = version;
      if (!host.staysDown) running[name] = await start(running[name]!.port);
      return 200;
    },
  } as UpdatableHost;
  running[name] = await start();
  host.address = running[name]!.address;
  hosts[name] = host;
}

export interface DeployScene {
  readonly farm: DeployFarm;
  readonly gateway: TestGateway;
  readonly folder: TemporaryFolder;
  readonly journal: string;
  /** `lockstep deploy …` with the journal and the admin API of the scene. */
  deploy(args: readonly string[], more?: Partial<Terminal>): DeployRun;
  stop(): Promise<void>;
}

export interface DeployRun extends FakeTerminal {
  readonly exit: Promise<number>;
}

/** v1 serves on web01 and web02; nothing is on web03 and web04. */
export async function startDeployScene(
  settings: (farm: DeployFarm) => GatewaySettings = () => ({}),
): Promise<DeployScene> {
  const folder = await temporaryFolder('deploy');
  const farm = await startDeployFarm({ v1: ['web01', 'web02'], v0: ['web03', 'web04'] });
  const gateway = await startGateway({
    versions: { v1: farm.urls('web01', 'web02') },
    active: 'v1',
    cookie: { idle: '1s' },
    health: { path: '/healthz', interval: '100ms', timeout: '5s' },
    ...settings(farm),
  });
  const journal = join(folder.path, 'journal.json');
  return {
    farm,
    gateway,
    folder,
    journal,
    deploy: (args, more) => {
      const fake = fakeTerminal({ columns: 200, ...more });
      const line = ['deploy', ...args, '--admin', gateway.admin.url, '--journal', journal];
      return { ...fake, exit: run(line, fake.terminal) };
    },
    stop: async () => {
      await gateway.stop();
      await farm.stop();
      await folder.remove();
    },
  };
}
