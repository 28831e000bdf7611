// The gateways whose verdicts are compared, each as its own documentation sets it up in front of one upstream, with waits of
// a second where the defaults are minutes. Lockstep, http-proxy (with an error handler: without one it ends at the first
// error) and, where they are installed, HAProxy and nginx.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../test/kit/free-port.ts';
import { temporaryFolder } from '../test/kit/gateway-config.ts';
import { startGatewayProcess } from '../test/kit/gateway-process.ts';
import { startProcess, type TestProcess } from '../test/kit/processes.ts';
import { type Address, rawClient } from '../test/kit/raw-client.ts';
import { findTool } from '../test/kit/tools.ts';
import { waitFor } from '../test/kit/wait-for.ts';

export interface ComparedGateway extends Address {
  readonly name: string;
  /** It has ended by itself since it was last asked for; it is started again then. */
  hasCrashed(): Promise<boolean>;
  stop(): Promise<void>;
}

/** Those that this machine has, each in front of `upstream` (host:port). */
export async function startGateways(upstream: string): Promise<readonly ComparedGateway[]> {
  const found = [startLockstep(upstream)];
  const [haproxy, nginx] = [findTool('haproxy'), findTool('nginx')];
  if (haproxy !== null)
    found.push(startProgram('HAProxy', upstream, haproxyFile, (file) => [haproxy, '-db', '-q', '-f', file]));
  if (nginx !== null) {
    found.push(
      startProgram('nginx', upstream, nginxFile, (file, folder) => [
        nginx,
        '-p',
        folder,
        '-c',
        file,
        '-e',
        'stderr',
      ]),
    );
  }
  found.push(startProgram('http-proxy', upstream, httpProxyFile, (file) => [process.execPath, file]));
  return Promise.all(found);
}

async function startLockstep(upstream: string): Promise<ComparedGateway> {
  const gateway = await startGatewayProcess({
    versions: { v1: [`http://${upstream}`] },
    active: 'v1',
    limits: { headerTimeout: '1s', bodyProgress: '1s', firstByte: '1s' },
  });
  return {
    name: 'Lockstep',
    host: gateway.host,
    port: gateway.port,
    hasCrashed: async () => {
      if (gateway.process().isRunning()) return false;
      await gateway.start();
      return true;
    },
    stop: () => gateway.stop(),
  };
}

async function startProgram(
  name: string,
  upstream: string,
  fileOf: (port: number, upstream: string, folder: string) => string,
  commandOf: (file: string, folder: string) => readonly string[],
): Promise<ComparedGateway> {
  const [folder, port] = [await temporaryFolder('verdicts'), await freePort()];
  // CommonJS, so that http-proxy is found from here and not from the folder.
  const file = join(folder.path, 'gateway.cjs');
  await writeFile(file, fileOf(port, upstream, folder.path));
  const address = { host: '127.0.0.1', port };
  let program: TestProcess;
  const start = async (): Promise<void> => {
    const [command = '', ...args] = commandOf(file, folder.path);
    program = startProcess(command, args);
    await waitFor(
      async () => {
        if (!program.isRunning()) throw new Error(program.stderr());
        (await rawClient(address)).close();
        return true;
      },
      { what: `${name} to listen` },
    );
  };
  await start();
  return {
    name,
    ...address,
    hasCrashed: async () => {
      if (program.isRunning()) return false;
      await start();
      return true;
    },
    stop: async () => {
      await program.stop('SIGTERM');
      await folder.remove();
    },
  };
}

function haproxyFile(port: number, upstream: string): string {
  return `global
  maxconn 1000
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
  timeout http-request 1s
listen all
  bind 127.0.0.1:${port}
  server one ${upstream}
`;
}

function nginxFile(port: number, upstream: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n');
  return `daemon off;
pid ${folder}/nginx.pid;
events { worker_connections 512; }
http {
${temporary}
  access_log off;
  client_header_timeout 1s;
  client_body_timeout 1s;
  upstream one { server ${upstream} max_fails=0; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://one;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_read_timeout 1s;
    }
  }
}
`;
}

function httpProxyFile(port: number, upstream: string): string {
  const library = new URL('../node_modules/http-proxy', import.meta.url).pathname;
  return `const { createServer } = require('node:http');
const proxy = require(${JSON.stringify(library)}).createProxyServer({ target: 'http://${upstream}', proxyTimeout: 1000 });
proxy.on('error', (error, request, response) => {
  if (response.headersSent || response.writeHead === undefined) response.destroy();
  else response.writeHead(502, { 'content-length': 0 }).end();
});
createServer((request, response) => proxy.web(request, response)).listen(${port}, '127.0.0.1');
`;
}
