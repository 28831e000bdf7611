// A version-pinning proxy on `@fastify/http-proxy`, which asks its upstreams with undici.

import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';
import { chooser, jobFromArguments } from './job.ts';

const job = jobFromArguments();
const choose = chooser(job);
const server = Fastify({ logger: false, keepAliveTimeout: 60_000 });
server.decorateRequest('mint', null);
await server.register(httpProxy, {
  upstream: '',
  disableRequestLogging: true,
  undici: { connections: 1024, pipelining: 1, keepAliveTimeout: 50_000 },
  replyOptions: {
    getUpstream: (request) => {
      const { target, mint } = choose(request.headers.cookie);
      request.setDecorator('mint', mint);
      return target;
    },
    rewriteRequestHeaders: (request, headers) => {
      const before = headers['x-forwarded-for'];
      const client = request.socket.remoteAddress ?? '';
      return {
        ...headers,
        'x-forwarded-for': before === undefined ? client : `${String(before)}, ${client}`,
      };
    },
    rewriteHeaders: (headers, request) => {
      const mint = request?.getDecorator<string | null>('mint') ?? null;
      return mint === null ? headers : { ...headers, 'set-cookie': [mint] };
    },
  },
});
await server.listen({ port: job.port, host: '127.0.0.1', backlog: 4096 });
