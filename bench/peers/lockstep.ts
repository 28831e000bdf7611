// Lockstep as operators run it, always with its full job: `lockstep serve` in its own process, sessions counted, metrics
// counted, an access log into a file. One peer for each engine.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { newSessionId, PinKeys, signPin } from '../../src/core/pin.ts';
import { freePorts } from '../../test/kit/free-port.ts';
import { waitFor } from '../../test/kit/wait-for.ts';
import { startProgram } from '../programs.ts';
import { FORWARDED_PATH } from '../upstreams.ts';
import { ask } from '../validate.ts';
import type { Peer, PeerSetup, RunningPeer } from './peer.ts';

export interface RunningLockstep extends RunningPeer {
  readonly adminUrl: string;
  /** From the start of its process to the first request that it answered. */
  readonly firstAnswerMs: number;
}

export interface LockstepSetup extends PeerSetup {
  readonly connections?: number;
  /** As in its configuration. Default: its own, 2s. */
  readonly healthInterval?: string;
  /** Of its process, besides. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of Node itself. */
  readonly nodeArguments?: readonly string[];
  /** Sections of the configuration besides. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Another program than this clone's. */
  readonly command?: string;
}

export interface LockstepPeer extends Peer {
  start(setup: LockstepSetup): Promise<RunningLockstep>;
}

/** Of this clone: its sources, unless it is built. */
export const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));
const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url));
const COOKIE = 'lockstep';
const KEY = 'a key of the bench, worth nothing anywhere else';

export const lockstep = lockstepPeer('lockstep', 'Lockstep', 'wire');
export const lockstepHttpProxy = lockstepPeer(
  'lockstep-http-proxy',
  'Lockstep, engine http-proxy',
  'http-proxy',
);

function lockstepPeer(name: string, title: string, engine: string): LockstepPeer {
  return {
    name,
    title,
    missing: () => refusal({ engine }),
    version: () => {
      const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };
      return `${version}, Node ${process.versions.node}`;
    },
    start: (setup) => start(setup, engine),
  };
}

/** What this version of Lockstep has against a configuration with these keys, or null. */
export function refusal(keys: Readonly<Record<string, unknown>>): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-check-'));
  const file = join(folder, 'lockstep.yaml');
  const versions = { v1: { upstreams: ['http://127.0.0.1:1'] } };
  writeFileSync(file, stringify({ versions, active: 'v1', state: join(folder, 'state'), ...keys }));
  try {
    execFileSync(process.execPath, [COMMAND, 'check', '--config', file], { stdio: 'pipe' });
    return null;
  } catch {
    return `this version of Lockstep does not have ${JSON.stringify(keys)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `seen` of the pins is a second ago: none is refreshed while the bench runs. */
export function lockstepPins(version: string, count: number): readonly string[] {
  const keys = new PinKeys([KEY], COOKIE, null);
  const seen = Date.now() - 1_000;
  return Array.from({ length: count }, () => {
    const session = newSessionId(randomBytes(12));
    return `${COOKIE}=${signPin(keys, { version, session, first: seen, seen, upstream: '' })}`;
  });
}

async function start(setup: LockstepSetup, engine: string): Promise<RunningLockstep> {
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const file = join(setup.folder, 'lockstep.yaml');
  writeFileSync(file, stringify(configuration(setup, engine, port, adminPort)));
  const command = setup.command ?? COMMAND;
  const args = [...(setup.nodeArguments ?? []), command, 'serve', '--config', file];
  const startedAt = performance.now();
  const program = startProgram(process.execPath, args, {
    log: join(setup.folder, 'lockstep'),
    env: { NODE_ENV: 'production', ...setup.env },
  });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const what = 'Lockstep to answer';
  // Whatever the upstream says to that path: it is not the gateway that refuses.
  const answers = async (): Promise<boolean> =>
    !program.isRunning() || (await ask(port, FORWARDED_PATH)).status < 500;
  await waitFor(answers, { what, timeoutMs: 30_000, everyMs: 2 });
  const firstAnswerMs = performance.now() - startedAt;
  if (!program.isRunning()) throw new Error(`ended at once: ${program.errors()}`);
  const isReady = async (): Promise<boolean> => (await fetch(`${adminUrl}/readyz`)).status === 200;
  await waitFor(isReady, { what, timeoutMs: 30_000 });
  await takeTurns(adminUrl, setup);
  return {
    port,
    adminUrl,
    firstAnswerMs,
    pid: program.pid,
    cookieName: COOKIE,
    pins: lockstepPins,
    stop: () => program.stop(),
  };
}

/** Each version was active once, so that all of them take pinned sessions. */
async function takeTurns(adminUrl: string, { versions, active }: LockstepSetup): Promise<void> {
  for (const { id } of [...versions.filter((one) => one.id !== active), { id: active }]) {
    const answer = await promote(adminUrl, id);
    if (!answer.ok) throw new Error(`promote ${id}: ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

export function promote(adminUrl: string, id: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  // With force: at a start not every upstream has been checked as often as `health.rise` wants.
  return fetch(`${adminUrl}/v1/versions/${id}/promote`, { method: 'POST', headers, body: '{"force":true}' });
}

/** The defaults, but for addresses and what the work is about. */
function configuration(setup: LockstepSetup, engine: string, port: number, adminPort: number): unknown {
  const { folder, versions, threads = 1, sessions = 1_000_000, connections, healthInterval } = setup;
  const pools = versions.map(({ id, addresses }) => [
    id,
    { upstreams: addresses.map((one) => `http://${one}`) },
  ]);
  return {
    listen: `127.0.0.1:${port}`,
    admin: { listen: `127.0.0.1:${adminPort}` },
    state: join(folder, 'state'),
    threads,
    engine,
    cookie: { keys: [KEY] },
    versions: Object.fromEntries(pools),
    active: versions[0]!.id,
    ...(healthInterval === undefined ? {} : { health: { path: null, interval: healthInterval } }),
    limits: { sessions, ...(connections === undefined ? {} : { connections }) },
    log: { access: { file: join(folder, 'access.log') }, level: 'error' },
    ...setup.more,
  };
}
