// nginx: the pool by a map on the cookie, its access log as it is by default (a line at a time), but in JSON.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/kit/free-port.ts';
import { findProgram, firstLine, startProgram, untilListening } from '../programs.ts';
import { type Peer, type PeerSetup, PLAIN_COOKIE, plainPins } from './peer.ts';

export const nginx: Peer = {
  name: 'nginx',
  title: 'nginx + log',
  missing: () => (findProgram('nginx') === null ? 'nginx is not installed' : null),
  version: () => /nginx\/(\S+)/.exec(firstLine('nginx', ['-v']))?.[1] ?? '?',
  start: async (setup) => {
    const port = await freePort();
    const file = join(setup.folder, 'nginx.conf');
    await mkdir(join(setup.folder, 'temp'));
    await writeFile(file, configuration(setup, port));
    const program = startNginx(setup.folder, file);
    await untilListening(program, port);
    return { port, pid: program.pid, cookieName: PLAIN_COOKIE, pins: plainPins, stop: () => program.stop() };
  },
};

export function startNginx(folder: string, file: string): ReturnType<typeof startProgram> {
  const errors = join(folder, 'error.log');
  return startProgram(findProgram('nginx')!, ['-p', folder, '-c', file, '-e', errors], {
    log: join(folder, 'nginx'),
  });
}

/** What every nginx here has: nothing outside of its folder. */
export function nginxFrame(folder: string, threads: number, http: string): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(folder, 'temp', name)};`,
  );
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes ${threads};
worker_rlimit_nofile 20000;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')} error;
events { worker_connections 16384; }
http {
${places.join('\n')}
  default_type text/html;
  keepalive_timeout 60s;
  keepalive_requests 1000000000;
${http}
}
`;
}

function configuration(setup: PeerSetup, port: number): string {
  const pools = setup.versions.map(
    ({ id, addresses }) => `  upstream ${id} {
${addresses.map((address) => `    server ${address};`).join('\n')}
    keepalive 1024;
    keepalive_requests 1000000000;
  }`,
  );
  const choices = setup.versions.map(({ id }) => `    "~^${id}\\." ${id};`);
  return nginxFrame(
    setup.folder,
    setup.threads ?? 1,
    `  log_format json escape=json '{"time":"$msec","method":"$request_method","url":"$request_uri","status":$status,'
    '"version":"$pool","session":"$cookie_${PLAIN_COOKIE}","upstream":"$upstream_addr","bytesIn":$request_length,'
    '"bytesOut":$bytes_sent,"connectMs":"$upstream_connect_time","firstByteMs":"$upstream_header_time",'
    '"totalMs":"$request_time","client":"$remote_addr"}';
  access_log ${join(setup.folder, 'access.log')} json;
  client_max_body_size 0;
  map $cookie_${PLAIN_COOKIE} $pool {
    default ${setup.active};
${choices.join('\n')}
  }
  map $cookie_${PLAIN_COOKIE} $mint {
    "" "${PLAIN_COOKIE}=${setup.active}.$request_id; Path=/; HttpOnly; SameSite=Lax";
  }
  map $http_upgrade $connection_upgrade { "" ""; default upgrade; }
${pools.join('\n')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://$pool;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_request_buffering off;
      add_header Set-Cookie $mint always;
    }
  }`,
  );
}
