// Browsers → HAProxy → Lockstep → HAProxy → application, all of them real. HAProxy in front says in a PROXY header whose
// connection it opens, in each way that it has (send-proxy, send-proxy-v2 with TLVs and checksum, with facts on TLS, in TCP mode
// before TLS), and checks Lockstep all the time; HAProxy behind accepts nothing without a header (accept-proxy), health checks
// included. Browsers come from addresses of their own: the application must see those, of every request, never anybody else's.

import { createSocket, type Socket as LogSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { makeCertificate } from '../kit/certificate.ts';
import { freePorts } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type HaproxyRun, runHaproxy } from '../kit/haproxy.ts';
import { FIRST_VERSION } from '../kit/proxy-headers.ts';
import { needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** In the order of HAProxy's ports. */
const FRONTS = ['first', 'second', 'rich', 'tls', 'tcp'] as const;
const BACKS = ['v1', 'v2'] as const;

/** What the application says of a request. */
interface Seen {
  readonly version: string;
  /** As HAProxy behind knows it: address and port of the client, and what it connected to. */
  readonly source: string;
  readonly destination: string;
  readonly forwardedFor: string;
  readonly proto: string;
}

function haproxyFile(
  ports: readonly number[],
  gateway: readonly number[],
  apps: readonly Upstream[],
  pem: string,
  logPort: number,
): string {
  const [plain, tls] = gateway;
  const front = (name: string, bind: string, server: string, mode = 'http') =>
    `frontend ${name}
  mode ${mode}
  bind 127.0.0.1:${ports[FRONTS.indexOf(name as (typeof FRONTS)[number])]} ${bind}
  default_backend to-${name}
backend to-${name}
  mode ${mode}
  server lockstep 127.0.0.1:${server} check inter 100ms`;
  const back = (name: (typeof BACKS)[number], index: number) =>
    `frontend ${name}
  bind 127.0.0.1:${ports[FRONTS.length + index]} accept-proxy
  http-request set-header x-source %[src]:%[src_port]
  http-request set-header x-destination %[dst]:%[dst_port]
  default_backend app-${name}
backend app-${name}
  server app ${apps[index]!.address}`;
  return `global
  log 127.0.0.1:${logPort} local0 info
defaults
  mode http
  log global
  option dontlognull
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout check 5s
${[
  front('first', '', `${plain} send-proxy`),
  front('second', '', `${plain} send-proxy-v2 check-send-proxy`),
  front('rich', '', `${plain} send-proxy-v2 proxy-v2-options unique-id,crc32c`),
  front('tls', `ssl crt ${pem}`, `${plain} send-proxy-v2-ssl-cn`),
  front('tcp', '', `${tls} send-proxy-v2`, 'tcp'),
  ...BACKS.map(back),
].join('\n')}
`;
}

/** What a browser at `from` gets on one connection, one answer after the other. */
async function ask(
  to: { readonly port: number; readonly isTls?: boolean },
  from: string,
  times = 1,
): Promise<{ readonly port: number; readonly seen: readonly Seen[]; readonly cookie: string }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const seen: Seen[] = [];
  const ports = new Set<number>();
  let cookie = '';
  for (let n = 0; n < times; n++) {
    await new Promise<void>((resolve, reject) => {
      const headers = { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' };
      const options = { host: '127.0.0.1', port: to.port, path: '/who', localAddress: from, headers };
      const asked = to.isTls
        ? requestTls({ ...options, agent: false, rejectUnauthorized: false })
        : request({ ...options, agent });
      asked.once('error', reject);
      asked.once('socket', (socket: Socket) => {
        const note = () => ports.add(socket.localPort!);
        if (socket.connecting) socket.once('connect', note);
        else note();
      });
      asked.once('response', (answer) => {
        let text = '';
        cookie ||= answer.headers['set-cookie']?.join() ?? '';
        answer.on('data', (data: Buffer) => {
          text += data;
        });
        answer.once('error', reject);
        answer.once('end', () => {
          if (answer.statusCode === 200) seen.push(JSON.parse(text));
          else reject(new Error(`answered ${answer.statusCode}: ${text}`));
          resolve();
        });
      });
      asked.end();
    });
  }
  agent.destroy();
  expect(ports.size, 'one connection').toBe(1);
  return { port: [...ports][0]!, seen, cookie };
}

const KINDS = [
  { engine: 'wire', threads: 2 },
  { engine: 'http-proxy', threads: 1 },
] as const;

describe.skipIf(!needsTool('haproxy') || !needsTool('openssl')).each(KINDS)(
  'HAProxy on both sides of $engine, threads: $threads',
  ({ engine, threads }) => {
    let folder: TemporaryFolder;
    let apps: readonly Upstream[];
    let haproxy: HaproxyRun;
    let gateway: GatewayProcess;
    let plainPort: number;
    let logFile: string;
    let haproxyLog: LogSocket;
    let told = '';
    const portOf = (name: (typeof FRONTS)[number]): number => haproxy.ports[FRONTS.indexOf(name)]!;
    const logged = (): readonly {
      readonly client: string;
      readonly status: number;
      readonly url: string;
    }[] =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));

    beforeAll(async () => {
      folder = await temporaryFolder('proxy-protocol');
      logFile = join(folder.path, 'access.log');
      const certificate = makeCertificate(folder.path);
      const pem = join(folder.path, 'both.pem');
      writeFileSync(pem, certificate.pem + readFileSync(certificate.keyFile, 'utf8'));
      const who = (version: string) =>
        startUpstream({
          version,
          handle: ({ url, headers }, response) => {
            if (url !== '/who') return false;
            const told = {
              version,
              source: headers['x-source'],
              destination: headers['x-destination'],
              forwardedFor: headers['x-forwarded-for'],
              proto: headers['x-forwarded-proto'],
            };
            response.end(JSON.stringify(told));
            return true;
          },
        });
      apps = [await who('v1'), await who('v2')];
      haproxyLog = createSocket('udp4', (message) => {
        told += `${message}\n`;
      });
      await new Promise<void>((resolve) => haproxyLog.bind(0, '127.0.0.1', resolve));
      const [plain, tls] = (await freePorts(2)) as [number, number];
      plainPort = plain;
      haproxy = await runHaproxy(FRONTS.length + BACKS.length, ({ ports }) =>
        haproxyFile(ports, [plain, tls], apps, pem, haproxyLog.address().port),
      );
      gateway = await startGatewayProcess({
        listen: [
          { address: `127.0.0.1:${plain}`, proxyProtocol: ['127.0.0.1/32'] },
          {
            address: `127.0.0.1:${tls}`,
            proxyProtocol: ['127.0.0.1/32'],
            tls: { cert: certificate.certFile, key: certificate.keyFile },
          },
        ],
        active: 'v1',
        accessLog: { file: logFile },
        health: { path: '/healthz', interval: '100ms', timeout: '5s' },
        more: {
          engine,
          threads,
          versions: {
            v1: { upstreams: [`http://127.0.0.1:${haproxy.ports[FRONTS.length]}`], sendProxy: 'v2' },
          },
          log: { access: { file: logFile }, level: 'warn' },
        },
      });
      await gateway.admin.wait('v1', 'healthy');
      const isUp = (name: string) => told.includes(`to-${name}/lockstep is UP`);
      await waitFor(() => FRONTS.every(isUp), { what: 'HAProxy to find the gateway', timeoutMs: 20_000 });
      told = '';
    }, 60_000);
    afterAll(async () => {
      await gateway?.stop();
      await haproxy?.stop();
      haproxyLog?.close();
      await Promise.all((apps ?? []).map((app) => app.stop()));
      await folder?.remove();
    });

    test.each([
      ['first', 'http'],
      ['second', 'http'],
      ['rich', 'http'],
      ['tls', 'https'],
      ['tcp', 'https'],
    ] as const)('shows the application who the browser is, by way of: %s', async (name, proto) => {
      const isTls = proto === 'https';
      const { port, seen, cookie } = await ask({ port: portOf(name), isTls }, '127.0.0.9', isTls ? 1 : 3);
      for (const one of seen) {
        expect(one).toEqual({
          version: 'v1',
          source: `127.0.0.9:${port}`,
          destination: `127.0.0.1:${portOf(name)}`,
          forwardedFor: '127.0.0.9',
          proto,
        });
      }
      expect(cookie.includes('; Secure')).toBe(isTls);
      await waitFor(() => logged().length > 0, { what: 'the access log' });
    });

    test('mixes up nobody of forty who ask at once', async () => {
      const browsers = Array.from({ length: 40 }, (_, n) => `127.0.1.${n + 1}`);
      const all = await Promise.all(
        browsers.map((from, n) => ask({ port: portOf(n % 2 === 0 ? 'first' : 'rich') }, from, 5)),
      );
      for (const [index, { port, seen }] of all.entries()) {
        expect(seen.length).toBe(5);
        expect(new Set(seen.map(({ source }) => source))).toEqual(new Set([`${browsers[index]}:${port}`]));
      }
      await waitFor(
        () => browsers.every((from) => logged().filter(({ client }) => client === from).length === 5),
        {
          what: 'the lines of all of them',
        },
      );
    });

    test('passes a WebSocket through both', async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${portOf('second')}/ws`, { localAddress: '127.0.0.10' });
      const heard: string[] = [];
      socket.on('message', (data) => heard.push(String(data)));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      socket.send('over two balancers');
      await waitFor(() => heard.some((text) => text.includes('over two balancers')), { what: 'the echo' });
      socket.close();
      await waitFor(() => logged().some(({ url, client }) => url === '/ws' && client === '127.0.0.10'), {
        what: 'its line',
      });
    });

    test('promotes a version whose pool wants the other header', async () => {
      const upstream = `http://127.0.0.1:${haproxy.ports[FRONTS.length + 1]}`;
      await gateway.admin.put('v2', [upstream], { sendProxy: 'v1' });
      expect(await gateway.admin.version('v2')).toMatchObject({ sendProxy: 'v1' });
      await gateway.admin.wait('v2', 'healthy');
      await gateway.admin.promote('v2');
      const { port, seen } = await ask({ port: portOf('second') }, '127.0.0.11', 2);
      expect(seen.map(({ version, source }) => [version, source])).toEqual([
        ['v2', `127.0.0.11:${port}`],
        ['v2', `127.0.0.11:${port}`],
      ]);
    });

    test('lets nobody but HAProxy say who he is, and serves others as themselves', async () => {
      const text = await new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: plainPort, localAddress: '127.0.0.66' });
        let all = '';
        socket.on('data', (data) => {
          all += data;
        });
        socket.once('error', reject);
        socket.once('close', () => resolve(all));
        socket.end(Buffer.concat([FIRST_VERSION, Buffer.from('GET /who HTTP/1.1\r\nHost: a\r\n\r\n')]));
      });
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      const { port, seen } = await ask({ port: plainPort }, '127.0.0.66');
      expect(seen[0]).toMatchObject({ source: `127.0.0.66:${port}`, forwardedFor: '127.0.0.66' });
    });

    test('finds nothing wrong in checks of either side', async () => {
      // HAProxy looks at Lockstep ten times a second on five ways, Lockstep at HAProxy at both pools.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(gateway.process().stderr()).not.toContain('PROXY');
      expect(told).not.toMatch(/PROXY|DOWN|BADREQ/);
      const { versions } = await gateway.admin.status();
      expect(versions.flatMap(({ upstreams }) => upstreams.map(({ health }) => health))).toEqual([
        'up',
        'up',
      ]);
    });
  },
);
