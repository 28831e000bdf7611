// The proxies for Node that are libraries, each in a program of its own beside this folder.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/kit/free-port.ts';
import { startProgram, untilListening } from '../programs.ts';
import { type Peer, type PeerSetup, PLAIN_COOKIE, plainPins, type RunningPeer } from './peer.ts';

export const nodeLibraries: readonly Peer[] = [
  library('http-proxy', 'http-proxy'),
  library('httpxy', 'httpxy'),
  library('http-proxy-3', 'http-proxy-3'),
  library('fastify-http-proxy', '@fastify/http-proxy'),
];

function library(name: string, packageName: string): Peer {
  const manifest = fileURLToPath(new URL(`../../node_modules/${packageName}/package.json`, import.meta.url));
  const version = (): string => (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  return {
    name,
    title: packageName,
    missing: () => {
      try {
        version();
        return null;
      } catch {
        return `${packageName} is not installed`;
      }
    },
    version,
    start: (setup) => start(name, setup),
  };
}

async function start(name: string, setup: PeerSetup): Promise<RunningPeer> {
  const port = await freePort();
  const file = fileURLToPath(new URL(`../node-proxies/${name}.ts`, import.meta.url));
  const pools = setup.versions.map(({ id, addresses }) => [id, addresses.map((one) => `http://${one}`)]);
  const job = { port, active: setup.active, cookie: PLAIN_COOKIE, pools: Object.fromEntries(pools) };
  const program = startProgram(process.execPath, [file, JSON.stringify(job)], {
    log: join(setup.folder, name),
    env: { NODE_ENV: 'production' },
  });
  await untilListening(program, port);
  return { port, pid: program.pid, cookieName: PLAIN_COOKIE, pins: plainPins, stop: () => program.stop() };
}
