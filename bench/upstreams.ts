// What stands behind every peer: cheap, and the same for all. Each version answers with bytes of its own, so that a wrong
// version is seen in the body. Small answers and upload sinks are HAProxy's (`http-request return`), files are nginx's,
// WebSocket echoes are a program of Node's (every byte of them is paid for by the upstream, not by the peer).

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../test/kit/free-port.ts';
import { nginxFrame, startNginx } from './peers/nginx.ts';
import type { VersionPool } from './peers/peer.ts';
import { findProgram, startProgram, untilListening } from './programs.ts';

export interface Upstreams {
  readonly versions: readonly VersionPool[];
  readonly active: string;
  stop(): Promise<void>;
}

export const SMALL_BYTES = 100;
export const PAGE_BYTES = 64 * 1024;
export const LARGE_BYTES = 1024 * 1024;

/** Answers with the X-Forwarded-For that arrived. All upstreams but the echoes have it. */
export const FORWARDED_PATH = '/forwarded';
export const SMALL_PATH = '/small';
export const PAGE_PATH = '/page.html';
export const LARGE_PATH = '/large.bin';
export const LARGE_CHUNKED_PATH = '/chunked/large.html';
/** Answers with how many bytes of body arrived. */
export const UPLOAD_PATH = '/upload';

/** What a version answers with: its name, then a pattern that no other part of it repeats at once. */
export function bodyOf(version: string, bytes: number): string {
  const line = (at: number): string => `${version} ${at.toString(36).padStart(6, '.')} lockstep bench\n`;
  let body = '';
  while (body.length < bytes) body += line(body.length);
  return body.slice(0, bytes);
}

/** `versions` × `each` addresses of one HAProxy. */
export async function startSmall(folder: string, versions = 2, each = 2): Promise<Upstreams> {
  const pools = await namePools(versions, each);
  const frontends = pools.map(
    ({ id, addresses }) => `frontend ${id}
${addresses.map((address) => `  bind ${address} backlog 4096`).join('\n')}
  http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-forwarded-for)]" if { path ${FORWARDED_PATH} }
  http-request return status 200 content-type text/html string ${quoted(bodyOf(id, SMALL_BYTES))}`,
  );
  return startHaproxy(folder, pools, frontends, '');
}

/** Takes a whole body into its memory before it answers. */
export async function startUploads(folder: string): Promise<Upstreams> {
  const pools = await namePools(2, 2);
  const frontends = pools.map(
    ({ id, addresses }) => `frontend ${id}
${addresses.map((address) => `  bind ${address} backlog 4096`).join('\n')}
  http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-forwarded-for)]" if { path ${FORWARDED_PATH} }
  http-request return status 200 content-type text/html string ${quoted(bodyOf(id, SMALL_BYTES))} if { method GET }
  http-request wait-for-body time 30s at-least ${LARGE_BYTES}
  http-request return status 200 content-type text/plain lf-string "${id} %[req.body_len]"`,
  );
  return startHaproxy(folder, pools, frontends, `  tune.bufsize ${LARGE_BYTES + 64 * 1024}\n`);
}

async function startHaproxy(
  folder: string,
  pools: readonly VersionPool[],
  frontends: readonly string[],
  tuning: string,
): Promise<Upstreams> {
  const file = join(folder, 'haproxy.cfg');
  const text = `global
  nbthread 1
  maxconn 8000
${tuning}defaults
  mode http
  timeout connect 3s
  timeout client 5m
  timeout http-keep-alive 5m
  timeout server 5m
${frontends.join('\n')}
`;
  await writeFile(file, text);
  const program = startProgram(findProgram('haproxy')!, ['-db', '-f', file], {
    log: join(folder, 'haproxy'),
  });
  await untilListening(program, firstPort(pools));
  return { versions: pools, active: pools.at(-1)!.id, stop: () => program.stop() };
}

export async function startFiles(folder: string): Promise<Upstreams> {
  const pools = await namePools(2, 2);
  await mkdir(join(folder, 'temp'));
  for (const { id } of pools) {
    await mkdir(join(folder, id, 'chunked'), { recursive: true });
    await writeFile(join(folder, id, SMALL_PATH), bodyOf(id, SMALL_BYTES));
    await writeFile(join(folder, id, PAGE_PATH), bodyOf(id, PAGE_BYTES));
    await writeFile(join(folder, id, LARGE_PATH), bodyOf(id, LARGE_BYTES));
    await writeFile(join(folder, id, LARGE_CHUNKED_PATH), bodyOf(id, LARGE_BYTES));
  }
  // With server-side includes the length is not known beforehand: nginx then answers in chunks.
  const servers = pools.map(
    ({ id, addresses }) => `  server {
${addresses.map((address) => `    listen ${address} backlog=4096;`).join('\n')}
    root ${join(folder, id)};
    location = ${FORWARDED_PATH} { default_type text/plain; return 200 $http_x_forwarded_for; }
    location = ${SMALL_PATH} { default_type text/html; }
    location /chunked/ { default_type text/html; ssi on; output_buffers 4 64k; }
  }`,
  );
  const file = join(folder, 'nginx.conf');
  const http = `  types { text/html html; application/octet-stream bin; }
  access_log off;
  etag off;
  sendfile on;
  tcp_nopush on;
${servers.join('\n')}`;
  await writeFile(file, nginxFrame(folder, 1, http));
  const program = startNginx(folder, file);
  await untilListening(program, firstPort(pools));
  return { versions: pools, active: pools.at(-1)!.id, stop: () => program.stop() };
}

export async function startEchoes(folder: string): Promise<Upstreams> {
  const pools = await namePools(2, 1);
  const file = fileURLToPath(new URL('./load/websocket-echo.ts', import.meta.url));
  const ports = pools.map(({ addresses }) => addresses[0]!.split(':')[1]!);
  const program = startProgram(process.execPath, [file, ...ports], { log: join(folder, 'echo') });
  await untilListening(program, firstPort(pools));
  return { versions: pools, active: pools.at(-1)!.id, stop: () => program.stop() };
}

async function namePools(versions: number, each: number): Promise<readonly VersionPool[]> {
  const ports = await freePorts(versions * each);
  return Array.from({ length: versions }, (_, index) => ({
    id: `v${index + 1}`,
    addresses: ports.slice(index * each, (index + 1) * each).map((port) => `127.0.0.1:${port}`),
  }));
}

function firstPort(pools: readonly VersionPool[]): number {
  return Number(pools[0]!.addresses[0]!.split(':')[1]);
}

/** As HAProxy reads it in double quotes. */
function quoted(text: string): string {
  return `"${text.replaceAll('\n', '\\n')}"`;
}
