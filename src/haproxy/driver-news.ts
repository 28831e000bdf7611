// What the driver tells of itself: each thing once when it begins and once when it ends, as an event and in the gateway's log.

import type { HaproxyPolicy } from '../core/haproxy.ts';
import type { HaproxyPorts } from './ports.ts';
import type { DriftNews, Seat } from './seat.ts';
import type { Part } from './transaction.ts';

export class DriverNews {
  readonly #policy: HaproxyPolicy;
  readonly #ports: HaproxyPorts;
  readonly #roles = new WeakMap<Seat, Map<string, string>>();

  constructor(policy: HaproxyPolicy, ports: HaproxyPorts) {
    this.#policy = policy;
    this.#ports = ports;
  }

  reachable({ process: { socket } }: Seat): void {
    this.#ports.log.info({ socket }, 'HAProxy is reachable again');
    this.#ports.tell('haproxy-reachable', null, { socket });
  }

  unreachable({ process: { socket } }: Seat, why: string): void {
    this.#ports.log.warn({ socket, why }, 'HAProxy cannot be driven; requests and changes go on without it');
    this.#ports.tell('haproxy-unreachable', null, { socket, why });
  }

  restarted({ process: { socket, info } }: Seat): void {
    const { pid } = info!;
    this.#ports.log.info({ socket, pid }, 'HAProxy was restarted or reloaded; its servers are set anew');
    this.#ports.tell('haproxy-restarted', null, { socket, pid });
  }

  /** Whether it is ours to drive. */
  roles(seat: Seat, nowMs: number): void {
    const { socket } = seat.process;
    const before = this.#roles.get(seat) ?? new Map<string, string>();
    for (const backend of this.#policy.backends) {
      const role = seat.role(backend, nowMs);
      if (role === before.get(backend)) continue;
      before.set(backend, role);
      const rival = seat.process.lease(backend).rival?.writer;
      if (role === 'standby') {
        const about = { socket, backend, rival };
        this.#ports.log.error(about, 'another Lockstep drives this HAProxy; this one does not');
        this.#ports.tell('haproxy-standby', null, about);
      } else if (role === 'driven') {
        this.#ports.log.info({ socket, backend }, 'HAProxy is driven from here');
        this.#ports.tell('haproxy-driving', null, { socket, backend });
      }
    }
    this.#roles.set(seat, before);
  }

  drift(seat: Seat, { begun, over, contested }: DriftNews): void {
    const { log, tell } = this.#ports;
    const { onDrift } = this.#policy;
    const { socket } = seat.process;
    for (const { key, version, found, set } of begun) {
      const about = { socket, server: key, found, set, onDrift };
      log.warn({ version, ...about }, "somebody else changed the state of one of HAProxy's servers");
      tell('haproxy-drift', version, about);
    }
    for (const key of over) tell('haproxy-drift-over', null, { socket, server: key });
    for (const backend of contested) {
      const about = { socket, backend, server: seat.contest(backend).over };
      log.error(
        about,
        'somebody sets this server back again and again; the backend is left alone for a while',
      );
      tell('haproxy-contested', null, about);
    }
  }

  stepTaken(version: string, parts: readonly Part[]): void {
    for (const { process, settings } of parts) {
      const servers = settings.map(({ backend, name, from, to }) => `${backend}/${name} ${from} -> ${to}`);
      this.#ports.log.info({ version, socket: process.socket, servers }, "HAProxy's servers were set");
    }
  }

  stepFailed(about: {
    readonly version: string;
    readonly socket: string;
    readonly why: string;
    readonly notUndone: readonly string[];
  }): void {
    const what = about.notUndone.length === 0 ? 'what was set is undone' : 'not all of it could be undone';
    this.#ports.log.error(about, `HAProxy did not take a step; ${what}`);
    const { version, ...detail } = about;
    this.#ports.tell('haproxy-step-failed', version, detail);
  }
}
