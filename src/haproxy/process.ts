// One HAProxy process behind its runtime socket: looked at, set, read back. What is told of it and what it was last set to
// is kept here; what it should be is the driver's to say.
// Rules: nothing is set that was not read before; what was set is read back in the same line, and counts when it reads as
// it was set. Another process id or start time is a process that knows nothing of what its predecessor was set to.

import type { AdminState, RuntimeAddress } from '../core/haproxy.ts';
import {
  type Command,
  EXPERIMENTAL,
  getVariable,
  joined,
  SHOW_INFO,
  setState,
  setVariable,
  setWeight,
  showServersStat,
  showServersState,
  splitAnswers,
} from './batch.ts';
import { afterLook, formatMark, type LeaseState, NO_LEASE, NO_MARK, parseMark } from './lease.ts';
import { variableOf } from './names.ts';
import type { Setting } from './plan.ts';
import {
  type ProcessInfo,
  readInfo,
  readServersStat,
  readServersState,
  readVariable,
  type ServerLoad,
  type ServerState,
} from './readers.ts';
import { quoted, RuntimeFault } from './runtime-fault.ts';
import { formatRuntimeAddress, LONGEST_LINE } from './runtime-socket.ts';
import { serverKey } from './wanted-states.ts';

/** Two readings of a start that is told to the second. */
const SAME_START_MS = 2_500;
const ATTEMPTS = 3;

export type FoundServer = ServerState & ServerLoad;

export interface ProcessPorts {
  readonly address: RuntimeAddress;
  readonly backends: readonly string[];
  readonly intervalMs: number;
  /** This control plane, in marks. */
  readonly self: string;
  /** Rejects with RuntimeFault. */
  readonly send: (line: string) => Promise<string>;
  readonly wallMs: () => number;
}

/** What a process was last set to, for a control plane that comes after this one. */
export interface ProcessMemory {
  readonly pid: number;
  readonly startedMs: number;
  readonly set: Readonly<Record<string, AdminState>>;
}

export interface Look {
  readonly isNewProcess: boolean;
  readonly servers: readonly FoundServer[];
}

export class HaproxyProcess {
  readonly socket: string;
  readonly #ports: ProcessPorts;
  readonly #leases = new Map<string, LeaseState>();
  readonly #set = new Map<string, AdminState>();
  #servers = new Map<string, FoundServer>();
  #info: ProcessInfo | null = null;
  #memory: ProcessMemory | null = null;
  #canMark = true;

  constructor(ports: ProcessPorts) {
    this.#ports = ports;
    this.socket = formatRuntimeAddress(ports.address);
  }

  /** Before the first look: what a control plane before this one knew. */
  recall(memory: ProcessMemory | null): void {
    this.#memory = memory;
  }

  /** As it was at the last look that succeeded. */
  get info(): ProcessInfo | null {
    return this.#info;
  }

  get servers(): readonly FoundServer[] {
    return [...this.#servers.values()];
  }

  found(key: string): FoundServer | undefined {
    return this.#servers.get(key);
  }

  lease(backend: string): LeaseState {
    return this.#leases.get(backend) ?? NO_LEASE;
  }

  /** What this process was last set to and read as; undefined: it was not set yet. */
  lastSet(key: string): AdminState | undefined {
    return this.#set.get(key);
  }

  /** It is so, and is to be so: from now on another state is somebody else's doing. */
  confirm(key: string, state: AdminState): void {
    this.#set.set(key, state);
  }

  /** What it was set to is no longer what it should be: whatever is found there is nobody's fault. */
  forget(key: string): void {
    this.#set.delete(key);
  }

  get memory(): ProcessMemory | null {
    if (this.#info === null) return this.#memory;
    const { pid, startedMs } = this.#info;
    return { pid, startedMs, set: Object.fromEntries(this.#set) };
  }

  /** Reads everything in one exchange, and writes the mark where it is ours to write. Rejects with RuntimeFault. */
  async look(): Promise<Look> {
    for (let attempt = 1; ; attempt++) {
      const look = await this.#look();
      if (look !== null) return look;
      // One that is replaced may have taken a connection of its successor's socket; the next one is the successor's.
      if (attempt === ATTEMPTS) throw new RuntimeFault('refused', 'is stopping', false);
    }
  }

  /** Null: by a process that stops. */
  async #look(): Promise<Look | null> {
    const { backends, wallMs } = this.#ports;
    const variables = backends.map(variableOf);
    const answers = await this.#exchange([
      SHOW_INFO,
      ...backends.flatMap((backend) => [showServersState(backend), showServersStat(backend)]),
      ...variables.map(getVariable),
    ]);
    const nowMs = wallMs();
    const info = readInfo(answers[0]!, nowMs);
    if (info.isStopping) return null;
    const servers = backends.flatMap((backend, at) =>
      withLoad(readServersState(answers[1 + 2 * at]!, backend), readServersStat(answers[2 + 2 * at]!)),
    );
    const isNewProcess = this.#adopt(info);
    this.#servers = new Map(servers.map((server) => [serverKey(server), server]));
    for (const [at, backend] of backends.entries()) {
      const mark = parseMark(readVariable(answers[1 + 2 * backends.length + at]!, variables[at]!));
      const sight = { mark, isNewProcess, canMark: this.#canMark, nowMs, self: this.#ports.self };
      this.#leases.set(backend, afterLook(this.lease(backend), sight));
    }
    await this.#writeMarks();
    return { isNewProcess, servers };
  }

  /** Sets all of it, and reads it back. Rejects with RuntimeFault; what was set by then stays so until it is undone. */
  async apply(settings: readonly Setting[]): Promise<void> {
    for (const part of inLines(settings)) await this.#applyLine(part);
  }

  async #applyLine(settings: readonly Setting[]): Promise<void> {
    const backends = [...new Set(settings.map(({ backend }) => backend))];
    const commands = settings.map(({ backend, name, to }) => setState(backend, name, to));
    const answers = await this.#exchange([SHOW_INFO, ...commands, ...backends.map(showServersState)]);
    for (const [at, { backend, name, to }] of settings.entries()) {
      const said = answers[1 + at]!.trim();
      if (said !== '') {
        throw new RuntimeFault('refused', `refuses ${to} for ${backend}/${name}: ${quoted(said)}`);
      }
    }
    const { pid } = readInfo(answers[0]!, this.#ports.wallMs());
    if (pid !== this.#info?.pid)
      throw new RuntimeFault('unverified', 'was replaced by another process just now');
    const now = new Map(
      backends
        .flatMap((backend, at) => readServersState(answers[1 + settings.length + at]!, backend))
        .map((server) => [serverKey(server), server]),
    );
    for (const setting of settings) this.#verify(setting, now.get(serverKey(setting)));
  }

  #verify({ backend, name, to }: Setting, now: ServerState | undefined): void {
    const key = serverKey({ backend, name });
    const before = this.#servers.get(key);
    if (now !== undefined && before !== undefined) this.#servers.set(key, { ...before, ...now });
    if (now?.state !== to) {
      throw new RuntimeFault(
        'unverified',
        `took ${to} for ${key}, and reads ${now?.state ?? 'nothing of it'}`,
      );
    }
    this.#set.set(key, to);
  }

  /** Refusals by server; most often an algorithm that knows no weights but 0 and 100%. Rejects with RuntimeFault. */
  async weigh(
    weights: readonly { readonly backend: string; readonly name: string; readonly weight: number }[],
  ): Promise<ReadonlyMap<string, string>> {
    const refusals = new Map<string, string>();
    for (const part of inLines(weights)) {
      const answers = await this.#exchange(
        part.map(({ backend, name, weight }) => setWeight(backend, name, weight)),
      );
      for (const [at, server] of part.entries()) {
        const key = serverKey(server);
        const before = this.#servers.get(key);
        if (answers[at]!.trim() !== '') refusals.set(key, quoted(answers[at]!));
        else if (before !== undefined) this.#servers.set(key, { ...before, weight: server.weight });
      }
    }
    return refusals;
  }

  /** Takes the marks away that are ours, so that the next control plane need not wait. Rejects with RuntimeFault. */
  async release(): Promise<void> {
    const ours = this.#ports.backends.filter((backend) => this.lease(backend).role === 'driven');
    if (ours.length === 0 || !this.#canMark || this.#info === null) return;
    await this.#exchange([EXPERIMENTAL, ...ours.map((backend) => setVariable(variableOf(backend), NO_MARK))]);
  }

  /** Whether it is another process than before. */
  #adopt(info: ProcessInfo): boolean {
    const before = this.#info ?? this.#memory;
    const isSame =
      before !== null &&
      before.pid === info.pid &&
      Math.abs(before.startedMs - info.startedMs) < SAME_START_MS;
    if (!isSame) {
      this.#set.clear();
      this.#canMark = true;
    } else if (this.#info === null) {
      for (const [key, state] of Object.entries(this.#memory!.set)) this.#set.set(key, state);
    }
    const isRestart = this.#info !== null && !isSame;
    // Told to the second, it may be read a second apart.
    this.#info = isSame ? { ...info, startedMs: before.startedMs } : info;
    this.#memory = null;
    return isRestart;
  }

  async #writeMarks(): Promise<void> {
    const { backends, intervalMs, self } = this.#ports;
    const ours = backends.filter((backend) => ['claiming', 'driven'].includes(this.lease(backend).role));
    if (ours.length === 0 || !this.#canMark) return;
    const answers = await this.#exchange([
      EXPERIMENTAL,
      ...ours.map((backend) => {
        const mark = { writer: self, count: this.lease(backend).count, everyMs: intervalMs };
        return setVariable(variableOf(backend), formatMark(mark));
      }),
    ]);
    // HAProxy before 2.5, or a socket that is not allowed to: there is no other way to find a rival but by what it does.
    if (answers.some((said) => said.trim() !== '')) this.#canMark = false;
  }

  async #exchange(commands: readonly Command[]): Promise<readonly string[]> {
    return splitAnswers(commands, await this.#ports.send(joined(commands)));
  }
}

function withLoad(states: readonly ServerState[], loads: ReadonlyMap<string, ServerLoad>): FoundServer[] {
  return states.map((state) => ({ ...state, ...(loads.get(state.name) ?? { sessions: 0, queue: 0 }) }));
}

/** As many of them as one line holds; a command has at most two names of 128 characters, and reading back takes some. */
function inLines<T extends { readonly backend: string; readonly name: string }>(all: readonly T[]): T[][] {
  const lines: T[][] = [[]];
  let length = 0;
  for (const one of all) {
    const cost = 'set server / state ready;'.length + one.backend.length + one.name.length;
    if (length + cost > LONGEST_LINE / 2) {
      lines.push([]);
      length = 0;
    }
    lines.at(-1)!.push(one);
    length += cost;
  }
  return lines.filter((line) => line.length > 0);
}
