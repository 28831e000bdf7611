// The process of a restarted server: node restarted-server-child.ts PORT VERSION SERVER [close]
// It says its version to health checks alone, in every way that discovery knows. On SIGTERM it goes as applications do: it listens
// no more, answers what is under way, and ends. With `close` it closes each connection after its answer.

import { createServer, type ServerResponse } from 'node:http';
import { VERSION_FIELD } from './upstream.ts';

const [port, version = '', name = '', mode] = process.argv.slice(2);

const server = createServer((request, response) => {
  request.resume();
  const path = request.url!.split('?')[0];
  response.setHeader(VERSION_FIELD, version);
  response.setHeader('x-server', name);
  if (mode === 'close') response.setHeader('connection', 'close');
  switch (path) {
    case '/healthz':
      response.setHeader('x-app-version', version);
      return json(response, { build: { version } });
    case '/version':
      return void response.end(`${version}\n`);
    case '/slow':
      return void setTimeout(() => json(response, { version }), 300);
    case '/':
      response.setHeader('content-type', 'text/html');
      return void response.end(
        `<html data-version="${version}"><script src="/assets/app.js"></script></html>`,
      );
    default:
      if (path!.startsWith('/assets/')) response.setHeader('cache-control', 'public, max-age=60');
      return json(response, { version });
  }
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
});

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}
