// Two thousand WebSockets at once, half of them on each of two versions. Each is counted as a stream of its version, each
// gets what was sent to it and nothing else; a version that is cut off closes its own with 1012 and leaves the others
// alone; and when they have gone every count is back at zero.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { PIN_KEY, pinOf } from '../kit/two-versions.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor, within } from '../kit/wait-for.ts';

const EACH = 1_000;
const AT_ONCE = 100;

describe('two thousand WebSockets', () => {
  let apps: readonly Upstream[];
  let gateway: GatewayProcess;
  const sockets = new Map<string, Client[]>([
    ['v1', []],
    ['v2', []],
  ]);
  beforeAll(async () => {
    apps = await Promise.all(['v1', 'v2'].map((version) => startUpstream({ version })));
    gateway = await startGatewayProcess({
      versions: { v1: [apps[0]!.url], v2: [apps[1]!.url] },
      active: 'v1',
      cookie: { keys: [PIN_KEY] },
    });
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
  });
  afterAll(async () => {
    for (const clients of sockets.values()) for (const { socket } of clients) socket.terminate();
    await gateway?.stop();
    for (const app of apps) await app.stop();
  });

  const streams = async (id: string): Promise<number> => (await gateway.admin.version(id)).sessions.streams;

  test('are counted as streams of their versions', async () => {
    const before = await gateway.process().residentBytes();
    for (let n = 0; n < EACH; n += AT_ONCE) {
      for (const [version, clients] of sockets) {
        const batch = Array.from({ length: AT_ONCE }, () => connect(gateway, version));
        clients.push(
          ...(await within(Promise.all(batch), { what: `${AT_ONCE} handshakes`, timeoutMs: 20_000 })),
        );
      }
    }
    expect([await streams('v1'), await streams('v2')]).toEqual([EACH, EACH]);
    const each = ((await gateway.process().residentBytes()) - before) / (2 * EACH);
    process.stdout.write(`two thousand WebSockets: ${Math.round(each)} bytes of memory for each\n`);
  });

  test('each get the echo of what they sent, from their version', async () => {
    const all = [...sockets].flatMap(([version, clients]) =>
      clients.map((client) => ({ version, ...client })),
    );
    for (const [n, { socket }] of all.entries()) socket.send(`message of ${n}`);
    await waitFor(() => all.every(({ messages }) => messages.length === 2), {
      what: 'every echo',
      timeoutMs: 20_000,
    });
    for (const [n, { version, messages }] of all.entries()) {
      expect(messages).toEqual([JSON.stringify({ version }), `message of ${n}`]);
    }
  });

  test('of a version that is cut off are closed with 1012, the others stay', async () => {
    await gateway.admin.cutoff('v1', 'a test');
    const gone = sockets.get('v1')!;
    await waitFor(() => gone.every(({ closed }) => closed() !== null), { what: 'v1 to be closed' });
    expect(new Set(gone.map(({ closed }) => closed()))).toEqual(new Set([1012]));
    expect([await streams('v1'), await streams('v2')]).toEqual([0, EACH]);
    expect(sockets.get('v2')!.every(({ closed }) => closed() === null)).toBe(true);
  });

  test('leave nothing behind', async () => {
    for (const [n, { socket }] of sockets.get('v2')!.entries()) {
      if (n % 2 === 0) socket.close();
      else socket.terminate();
    }
    await waitFor(async () => (await streams('v2')) === 0, { what: 'all to be counted out' });
    expect((await gateway.admin.version('v2')).inFlight).toBe(0);
    await waitFor(() => apps.every((app) => app.openConnections() < 10), {
      what: 'upstream connections to be closed',
    });
  });
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: readonly string[];
  /** The code it was closed with; null while it is open. */
  readonly closed: () => number | null;
}

function connect(gateway: GatewayProcess, version: string): Promise<Client> {
  const messages: string[] = [];
  let code: number | null = null;
  const socket = new WebSocket(`ws://${gateway.host}:${gateway.port}/ws`, {
    headers: { cookie: `lockstep=${pinOf({ version })}` },
    perMessageDeflate: false,
  });
  socket.on('message', (data: Buffer) => messages.push(String(data)));
  socket.on('close', (closedWith: number) => {
    code = closedWith;
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      socket.on('error', () => {});
      resolve({ socket, messages, closed: () => code });
    });
  });
}
