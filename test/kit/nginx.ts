// Debian's nginx in front of one server, in the foreground with a folder of its own, stopped by its id.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './gateway-config.ts';
import { startProcess } from './processes.ts';
import { findTool } from './tools.ts';
import { waitFor } from './wait-for.ts';

export interface Nginx {
  readonly url: string;
  stop(): Promise<void>;
}

/** Passes everything to `server` (host:port), with no limits of its own that a test would meet. */
export async function startNginx(server: string): Promise<Nginx> {
  const command = findTool('nginx');
  if (command === null) throw new Error('nginx is not installed');
  const folder = await temporaryFolder('nginx');
  const port = await freePort();
  const file = join(folder.path, 'nginx.conf');
  await writeFile(file, configuration(folder.path, port, server));
  const process = startProcess(command, [
    '-p',
    folder.path,
    '-c',
    file,
    '-e',
    join(folder.path, 'error.log'),
  ]);
  try {
    await waitFor(async () => !process.isRunning() || (await takesConnections(port)), {
      what: 'nginx to listen',
    });
    if (!process.isRunning()) throw new Error('nginx ended at once');
  } catch (error) {
    await process.stop('SIGKILL');
    throw new Error(`nginx did not start: ${process.stderr()}`, { cause: error });
  }
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      await process.stop('SIGTERM');
      await folder.remove();
    },
  };
}

function configuration(folder: string, port: number, server: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  client_max_body_size 0;
  large_client_header_buffers 8 32k;
  keepalive_requests 1000000;
  upstream recorder { server ${server}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://recorder;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream off;
    }
  }
}
`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
