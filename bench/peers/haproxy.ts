// HAProxy, twice. Bare: pin, mint, X-Forwarded-For and nothing else. Full: what Lockstep does besides, as near as its
// configuration comes: a stick table of sessions for each version, counters for each version, a JSON line for each request.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/kit/free-port.ts';
import { findProgram, firstLine, startProgram, untilListening } from '../programs.ts';
import {
  type Peer,
  type PeerSetup,
  PLAIN_COOKIE,
  plainPins,
  type RunningPeer,
  type VersionPool,
} from './peer.ts';

export const haproxyBare = haproxy('haproxy-bare', 'HAProxy, bare', false);
export const haproxyFull = haproxy('haproxy-full', 'HAProxy, full', true);

function haproxy(name: string, title: string, isFull: boolean): Peer {
  return {
    name,
    title,
    missing: () => (findProgram('haproxy') === null ? 'haproxy is not installed' : null),
    version: () => /version (\S+)/.exec(firstLine('haproxy', ['-v']))?.[1] ?? '?',
    start: (setup) => start(setup, isFull),
  };
}

async function start(setup: PeerSetup, isFull: boolean): Promise<RunningPeer> {
  const port = await freePort();
  const file = join(setup.folder, 'haproxy.cfg');
  await writeFile(file, configuration(setup, port, isFull));
  const log = join(setup.folder, 'haproxy');
  const program = startProgram(findProgram('haproxy')!, ['-db', '-f', file], { log });
  await untilListening(program, port);
  return { port, pid: program.pid, cookieName: PLAIN_COOKIE, pins: plainPins, stop: () => program.stop() };
}

/** `http-reuse always`: without it the first request of each client connection opens one to the upstream. */
function configuration(setup: PeerSetup, port: number, isFull: boolean): string {
  const log = isFull ? `  log stdout format raw local0 info\n  log-format ${JSON_LINE}` : '';
  return `global
  nbthread ${setup.threads ?? 1}
  maxconn 8000
defaults
  mode http
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  timeout tunnel 1h
  http-reuse always
  option forwardfor
${log}
frontend clients
  bind 127.0.0.1:${port}
  http-request set-var(txn.version) req.cook(${PLAIN_COOKIE}),field(1,.)
  http-request set-var(txn.session) req.cook(${PLAIN_COOKIE}),field(2,.)
  acl is-new req.cook_cnt(${PLAIN_COOKIE}) eq 0
  http-request set-var(txn.mint) str(1) if is-new
  http-request set-var-fmt(txn.session) "%[rand(2147483647),hex]%[rand(2147483647),hex]" if is-new
  http-after-response add-header Set-Cookie "${PLAIN_COOKIE}=${setup.active}.%[var(txn.session)]; Path=/; HttpOnly; SameSite=Lax" if { var(txn.mint) -m found }
  use_backend %[var(txn.version)]
  default_backend ${setup.active}
${setup.versions.map((version) => backend(version, setup, isFull)).join('\n')}
`;
}

function backend({ id, addresses }: VersionPool, setup: PeerSetup, isFull: boolean): string {
  const sessions = `
  stick-table type string len 32 size ${setup.sessions ?? 1_000_000} expire 30m store http_req_cnt
  http-request track-sc0 var(txn.session)`;
  const servers = addresses.map((address, index) => `  server ${id}-${index} ${address} check inter 2s`);
  return `backend ${id}
  balance roundrobin${isFull ? sessions : ''}
${servers.join('\n')}`;
}

/** The same facts as Lockstep's line, as far as HAProxy knows them. */
const JSON_LINE =
  '"{\\"time\\":%Ts%ms,\\"method\\":\\"%HM\\",\\"url\\":\\"%[capture.req.uri,json(utf8s)]\\",\\"status\\":%ST,' +
  '\\"version\\":\\"%b\\",\\"session\\":\\"%[var(txn.session)]\\",\\"upstream\\":\\"%s\\",\\"bytesIn\\":%U,\\"bytesOut\\":%B,' +
  '\\"connectMs\\":%Tc,\\"firstByteMs\\":%Tr,\\"totalMs\\":%Ta,\\"client\\":\\"%ci\\"}"\n';
