// A control plane on a state directory of its own, with real health checks, a real ledger, and a data plane that writes
// down what it is told.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/control/clock.ts';
import { Controller, type ControllerOptions } from '../../../src/control/controller.ts';
import type { FileSystem } from '../../../src/control/durable-file.ts';
import { StateFolder } from '../../../src/control/state-folder.ts';
import { CanaryMeter } from '../../../src/core/canary-meter.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { Ledger } from '../../../src/core/sessions.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type RecordingPlane, recordingPlane } from '../../unit/control/recording-plane.ts';

export interface Controlled {
  readonly controller: Controller;
  readonly plane: RecordingPlane;
  readonly gauges: Gauges;
  readonly ledger: Ledger;
  readonly errors: string[];
}

export interface Bench {
  readonly folder: string;
  start(more?: Partial<ControllerOptions>, files?: FileSystem): Promise<Controlled>;
  /** An upstream that accepts connections; host:port. */
  upstream(): Promise<string>;
  /** One that can go away and come back at the same address. */
  upstreamThatCloses(): Promise<{
    readonly address: string;
    open(): Promise<void>;
    close(): Promise<void>;
  }>;
  clear(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-control-'));
  const started: Controller[] = [];
  const servers: Server[] = [];
  const upstreamThatCloses = async () => {
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    servers.push(server);
    let port = 0;
    const open = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await open();
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');
    port = address.port;
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    return { address: `127.0.0.1:${port}`, open, close };
  };
  return {
    folder,
    upstreamThatCloses,
    upstream: async () => (await upstreamThatCloses()).address,
    start: async (more = {}, files) => {
      const state = await StateFolder.open(folder, {
        clock: systemClock,
        onLost: () => {},
        ...(files && { files }),
      });
      const plane = recordingPlane();
      const gauges = new Gauges();
      const ledger = new Ledger({ capacity: 1000, idleMs: 60_000, nowMs: systemClock.wallMs() });
      const errors: string[] = [];
      const controller = new Controller({
        state,
        plane,
        gauges,
        ledger,
        cookie: { idleMs: 60_000, lifeMs: 3_600_000 },
        drain: {
          graceMs: 0,
          nudgeMs: 0,
          navigationMs: null,
          idleMs: null,
          deadlineMs: 3_600_000,
          protectedPaths: [],
        },
        warm: null,
        analysis: null,
        skew: { header: null, quarantine: false, detect: false },
        affinity: 'none',
        discovery: null,
        meter: new CanaryMeter(1, () => {}),
        health: {
          path: null,
          intervalMs: 25,
          timeoutMs: 500,
          rise: 1,
          fall: 1,
          slowStartMs: 0,
          connectFaults: 5,
          answerFaults: 10,
          outForMs: 10_000,
        },
        declared: [],
        active: null,
        isPinKeyNew: false,
        isListening: () => true,
        threads: () => ({ count: 1, serving: 1, restarts: 0 }),
        log: { info: () => {}, warn: () => {}, error: (_detail, message) => errors.push(message) },
        ...more,
      });
      started.push(controller);
      await controller.start();
      await waitFor(() => controller.isReady(), { what: 'the first health round' });
      return { controller, plane, gauges, ledger, errors };
    },
    clear: async () => {
      for (const controller of started) await controller.stop();
      for (const server of servers) server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
