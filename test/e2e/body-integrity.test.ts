// Every octet is the right one. Sockets of the gateway read into memory that is used again and again, and bodies are written
// from where they were read: so many clients at once, plain and by TLS, some of which rest in the midst of reading, send and
// get bodies of nothing to 4 MiB, whose octets say whose they are, while upstreams rest in the midst of reading as well, and
// WebSockets have all that they send echoed. What is of another body, of another place or of an earlier time is seen at the
// end that it came to.

import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type LaneResult, requestLane, socketLane } from '../kit/body-lanes.ts';
import { startBodyUpstream } from '../kit/body-upstream.ts';
import { freePorts } from '../kit/free-port.ts';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { startGatewayProcess } from '../kit/gateway-process.ts';
import { seededRandom } from '../kit/random.ts';
import { SEED } from '../kit/seed.ts';
import { findTool, needsTool } from '../kit/tools.ts';

const TRAFFIC_MS = 4_000;
const LANES = [
  ...Array.from({ length: 14 }, () => ({ isTls: false, run: requestLane })),
  ...Array.from({ length: 7 }, () => ({ isTls: true, run: requestLane })),
  ...Array.from({ length: 3 }, () => ({ isTls: false, run: socketLane })),
  ...Array.from({ length: 2 }, () => ({ isTls: true, run: socketLane })),
];

describe.skipIf(!needsTool('openssl'))(`bodies of many at once (seed ${SEED})`, () => {
  test.each([{ threads: 1 }, { threads: 2 }])(
    'arrive to the octet, by $threads threads',
    async ({ threads }) => {
      const folder = await temporaryFolder('bodies');
      const upstream = await startBodyUpstream(seededRandom(SEED));
      const [port, tlsPort] = (await freePorts(2)) as [number, number];
      const host = '127.0.0.1';
      const gateway = await startGatewayProcess({
        versions: { v1: [upstream.url] },
        active: 'v1',
        listen: [`${host}:${port}`, { address: `${host}:${tlsPort}`, tls: makeCertificate(folder.path) }],
        more: { threads },
      });
      let key = 0;
      const untilMs = performance.now() + TRAFFIC_MS;
      const faults: string[] = [];
      const results = await Promise.all(
        LANES.map(({ isTls, run }, n): Promise<LaneResult | null> => {
          const open = (): Socket =>
            isTls ? connectTls({ host, port: tlsPort, rejectUnauthorized: false }) : connect({ host, port });
          const lane = {
            random: seededRandom(SEED + n),
            nextKey: () => ++key,
            connect: () => opened(open(), isTls),
            untilMs,
          };
          return run(lane).catch((error: unknown) => {
            faults.push(`${isTls ? 'TLS' : 'plain'} client ${n}: ${error}`);
            return null;
          });
        }),
      );
      expect(gateway.process().isRunning(), gateway.process().stderr()).toBe(true);
      await gateway.stop();
      await upstream.stop();
      await folder.remove();
      expect([...faults, ...upstream.faults]).toEqual([]);
      const answered = results.reduce((total, result) => total + (result?.answered ?? 0), 0);
      // However busy the machine: each lane had something to say.
      expect(answered).toBeGreaterThan(LANES.length);
    },
  );
});

function opened(socket: Socket, isTls: boolean): Promise<Socket> {
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => {
    socket.once(isTls ? 'secureConnect' : 'connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function makeCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const files = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert];
  execFileSync(findTool('openssl')!, ['req', ...kind, ...files], { stdio: 'ignore' });
  return { cert, key };
}
