// Thousands of connections, held by a process of their own, so that neither their sockets nor their time are the test's.
// Run as a program it does what its argument says and prints a line of counts four times a second; `startCrowd` starts it
// and reads them. Connections come from 127.0.0.2 and up, a thousand from each: one address has no 30,000 ports.

import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startProcess } from './processes.ts';
import type { Address } from './raw-client.ts';

export interface CrowdOrders extends Address {
  /** Connections to hold; with `again`, to have under way at any moment. */
  readonly count: number;
  /** Sent whole by each when it is connected. */
  readonly first?: string;
  /** Then sent by each octet by octet, for ever from its beginning. */
  readonly drip?: string;
  readonly dripEveryMs?: number;
  /** A connection that was ended is opened anew. */
  readonly again?: boolean;
}

export interface CrowdCounts {
  /** Connected so far. */
  readonly opened: number;
  readonly open: number;
  /** Ended by the other side, by FIN or RST, with or without an answer. */
  readonly ended: number;
  /** Of these, those that got no octet. */
  readonly endedMute: number;
  /** Not even connected. */
  readonly failed: number;
  /** Between being connected and being ended; the middle one and the slowest of the last thousand. */
  readonly lifeMs: readonly [middle: number, slowest: number];
}

export interface Crowd {
  /** Null before the first line. */
  counts(): CrowdCounts | null;
  stop(): Promise<void>;
}

const TOLD_EVERY_MS = 250;
const AT_ONCE = 250;

export function startCrowd(orders: CrowdOrders): Crowd {
  const program = startProcess(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(orders)]);
  return {
    counts: () => {
      const line = program.stdout().trimEnd().split('\n').at(-1) ?? '';
      return line === '' ? null : (JSON.parse(line) as CrowdCounts);
    },
    stop: async () => {
      await program.stop('SIGKILL');
    },
  };
}

function run(orders: CrowdOrders): void {
  const { count, drip = '', dripEveryMs = 1_000 } = orders;
  const open = new Set<Socket>();
  const lives: number[] = [];
  const seen = { opened: 0, ended: 0, endedMute: 0, failed: 0 };
  let pending = 0;
  let begun = 0;

  const openOne = (): void => {
    pending++;
    const localAddress = `127.0.0.${2 + (begun++ % 20)}`;
    const socket = connect({ host: orders.host, port: orders.port, localAddress, noDelay: true });
    let connectedAt = 0;
    let isMute = true;
    socket.once('connect', () => {
      pending--;
      seen.opened++;
      connectedAt = performance.now();
      open.add(socket);
      if (orders.first !== undefined) socket.write(orders.first);
    });
    socket.on('data', () => {
      isMute = false;
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      if (connectedAt === 0) {
        pending--;
        seen.failed++;
        return;
      }
      open.delete(socket);
      seen.ended++;
      if (isMute) seen.endedMute++;
      lives.push(performance.now() - connectedAt);
      if (lives.length > 2_000) lives.splice(0, 1_000);
    });
  };
  const fill = (): void => {
    while (pending < AT_ONCE && (orders.again === true ? open.size + pending : begun) < count) openOne();
  };
  setInterval(fill, 5);
  if (drip !== '') {
    let at = 0;
    // A twentieth of them at a time, as nobody drips in step.
    let turn = 0;
    setInterval(() => {
      let n = 0;
      for (const socket of open) if (n++ % 20 === turn) socket.write(drip[at % drip.length]!);
      turn = (turn + 1) % 20;
      if (turn === 0) at++;
    }, dripEveryMs / 20);
  }
  setInterval(() => {
    const last = lives.slice(-1_000).sort((a, b) => a - b);
    const lifeMs = [last[last.length >> 1] ?? 0, last.at(-1) ?? 0];
    process.stdout.write(`${JSON.stringify({ ...seen, open: open.size, lifeMs })}\n`);
  }, TOLD_EVERY_MS);
}

if (import.meta.main) run(JSON.parse(process.argv[2]!) as CrowdOrders);
