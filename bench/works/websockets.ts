// Work 7: a thousand WebSockets, each of which sends a hundred bytes and waits for the echo.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Work } from '../bench.ts';
import { interleave } from '../bench.ts';
import { cpuUs, forgetPeak, peakBytes } from '../cpu.ts';
import type { SocketsAsked, SocketsSeen } from '../load/websocket-clients.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { startEchoes } from '../upstreams.ts';
import { startAll } from './measured-cases.ts';

const SOCKETS = 1_000;

export const webSockets: Work = {
  name: 'websockets',
  number: 7,
  title: '1,000 WebSockets, echoes of 100 B (per second, and CPU for each)',
  run: async (bench) => {
    const upstreams = await startEchoes(await bench.folder('upstreams'));
    // It proxies WebSockets only when it is told the upstream at its start.
    const peers = bench.peers.filter(({ name }) => name !== 'fastify-http-proxy');
    const started = await startAll(bench, peers, upstreams);
    try {
      // Node's compiler has seen enough of a message's way by then.
      for (const { running } of started) await echo(running, upstreams.active, bench.seconds);
      await interleave(bench.rounds, started, async ({ peer, running }, round) => {
        const seen = await echo(running, upstreams.active, bench.seconds);
        if (seen.wrong + seen.lost > 0 || seen.messages === 0) {
          const { wrong, lost } = seen;
          bench.note(`7: ${peer.title}: ${wrong} wrong echoes, ${lost} sockets lost in round ${round + 1}`);
        }
        if (seen.messages === 0) return;
        const sample = { work: webSockets.name, case: `${SOCKETS} sockets`, peer: peer.name, round };
        bench.record({ ...sample, metric: 'cpuUs', value: seen.cpuUs / seen.messages });
        bench.record({ ...sample, metric: 'perSecond', value: seen.messages / bench.seconds });
        bench.record({ ...sample, metric: 'peakMiB', value: peakBytes(running.pid) / 1024 / 1024 });
      });
    } finally {
      await Promise.all(started.map(({ running }) => running.stop()));
      await upstreams.stop();
    }
  },
};

async function echo(
  running: RunningPeer,
  version: string,
  seconds: number,
): Promise<SocketsSeen & { readonly cpuUs: number }> {
  const cookies = running.pins(version, SOCKETS);
  const asked: SocketsAsked = { port: running.port, sockets: SOCKETS, seconds, cookies };
  const program = fileURLToPath(new URL('../load/websocket-clients.ts', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(asked)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const tooLong = setTimeout(() => child.kill('SIGKILL'), (seconds + 30) * 1_000);
  let before = Number.NaN;
  let after = Number.NaN;
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'open') {
      forgetPeak(running.pid);
      before = cpuUs(running.pid);
    } else {
      after = cpuUs(running.pid);
      child.stdin.end();
    }
    last = line;
  }
  clearTimeout(tooLong);
  const seen = last.startsWith('{')
    ? (JSON.parse(last) as SocketsSeen)
    : { messages: 0, wrong: 0, lost: SOCKETS };
  return { ...seen, cpuUs: after - before };
}
