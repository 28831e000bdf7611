// A version-pinning proxy on `http-proxy`, as its documentation would have it: kept upstream connections, `xfwd`.

import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';
import { chooser, jobFromArguments } from './job.ts';

const job = jobFromArguments();
const choose = chooser(job);
const proxy = httpProxy.createProxyServer({ xfwd: true, agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, answer) => {
  if ('writeHead' in answer && !answer.headersSent) answer.writeHead(502).end();
  else answer.destroy();
});

const server = createServer({ keepAliveTimeout: 60_000 }, (request, answer) => {
  const { target, mint } = choose(request.headers.cookie);
  if (mint !== null) answer.setHeader('set-cookie', mint);
  proxy.web(request, answer, { target });
});
server.on('upgrade', (request, socket, head) => {
  proxy.ws(request, socket, head, { target: choose(request.headers.cookie).target });
});
server.listen({ port: job.port, host: '127.0.0.1', backlog: 4096 });
