// Three servers that others wrote, each behind a gateway of its own: nginx and HAProxy in front of a recorder, and the
// recorder alone, which is node:http. A recorder keeps what it saw by lane; a lane is a client address of its own
// (127.1.N.M), which the gateway puts into x-forwarded-for and no client can.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { startHaproxy } from '../kit/haproxy.ts';
import { startNginx } from '../kit/nginx.ts';

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

export interface Origin {
  readonly name: 'node:http' | 'nginx' | 'HAProxy';
  /** Of the gateway in front of it. */
  readonly host: string;
  readonly port: number;
  /** Whole requests of a lane since the last call. */
  takeSeen(lane: string): readonly SeenRequest[];
}

export interface Origins {
  readonly all: readonly Origin[];
  stop(): Promise<void>;
}

export async function startOrigins(): Promise<Origins> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.reverse()) await end();
  };
  try {
    const recorders = await Promise.all([startRecorder(), startRecorder(), startRecorder()]);
    const [alone, behindNginx, behindHaproxy] = recorders as [Recorder, Recorder, Recorder];
    stops.push(...recorders.map((recorder) => () => recorder.stop()));
    const nginx = await startNginx(behindNginx.address);
    stops.push(() => nginx.stop());
    const haproxy = await startHaproxy([{ name: 'v1', servers: [behindHaproxy.address] }]);
    stops.push(() => haproxy.stop());
    const all: Origin[] = [];
    for (const [name, url, recorder] of [
      ['node:http', `http://${alone.address}`, alone],
      ['nginx', nginx.url, behindNginx],
      ['HAProxy', haproxy.url('v1'), behindHaproxy],
    ] as const) {
      const gateway = await startGateway({ versions: { v1: [url] }, active: 'v1' });
      stops.push(() => gateway.stop());
      all.push(originOf(name, gateway, recorder));
    }
    return { all, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function originOf(name: Origin['name'], { host, port }: TestGateway, recorder: Recorder): Origin {
  return { name, host, port, takeSeen: (lane) => recorder.takeSeen(lane) };
}

interface Recorder {
  readonly address: string;
  takeSeen(lane: string): readonly SeenRequest[];
  stop(): Promise<void>;
}

async function startRecorder(): Promise<Recorder> {
  const seen = new Map<string, SeenRequest[]>();
  const record = (request: IncomingMessage, response: ServerResponse): void => {
    let body = '';
    if (request.url === '/healthz') {
      response.end(); // HAProxy's
      return;
    }
    request.on('data', (part: Buffer) => {
      body += part.toString('latin1');
    });
    request.on('end', () => {
      const lane = String(request.headers['x-forwarded-for']);
      const list = seen.get(lane) ?? [];
      seen.set(lane, list);
      list.push({ method: request.method ?? '', target: request.url ?? '', body });
      response.end('seen');
    });
  };
  const server = createServer({ keepAliveTimeout: 600_000, maxHeaderSize: 65_536 }, record);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    takeSeen: (lane) => {
      const list = seen.get(lane) ?? [];
      seen.delete(lane);
      return list;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
