// Answers HAProxy's agent checks: one connection a check, a line that names the server, a line that says what it is to be.
// Works beside the sockets, and without any: HAProxy asks by itself, and comes to it from wherever it runs.
// Rules: each question is answered with what is wanted at that moment. A connection that asks nothing is answered that
// nothing is to change, and closed; there are never more than a few hundred of them.

import { createServer, type Server, type Socket } from 'node:net';
import type { DrivenVersion, HaproxyPolicy } from '../core/haproxy.ts';
import { agentAnswer, askedServer, UNKNOWN } from './agent-answer.ts';
import { type ClaimedServer, serverKey, type WantedServer, wantedStates } from './wanted-states.ts';
import { HEAVIEST, wantedWeights } from './wanted-weights.ts';

const LONGEST_QUESTION = 300;
const QUESTION_MS = 1_000;
/** Of a check: HAProxy's own waits no longer than `timeout check`, and asks anew. */
const MOST_CONNECTIONS = 512;
/** Questions may name anything. */
const MOST_OWNERS = 4_096;

export interface AgentPorts {
  readonly policy: HaproxyPolicy;
  readonly versions: () => readonly DrivenVersion[];
  /** What the sockets say there is; empty where there are none, or none is reached. */
  readonly servers: () => readonly ClaimedServer[];
  readonly owners: () => ReadonlyMap<string, string>;
}

export class AgentListener {
  readonly #ports: AgentPorts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Version that a server was last of, where no driver knows. */
  readonly #owners = new Map<string, string>();
  #asked = 0;
  #unknown = 0;

  constructor(ports: AgentPorts) {
    this.#ports = ports;
    // A question may come with the end of its side.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /** Rejects when the address cannot be had. */
  listen({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => {}); // accept() failing for want of descriptors: HAProxy asks again
        resolve();
      });
    });
  }

  get status(): { readonly listen: string; readonly asked: number; readonly unknown: number } {
    const at = this.#server.address();
    const listen = at === null || typeof at === 'string' ? '' : formatListen(at.address, at.port);
    return { listen, asked: this.#asked, unknown: this.#unknown };
  }

  /** Idempotent. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    return closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let question = '';
    let isAnswered = false;
    const answer = () => {
      if (isAnswered) return;
      isAnswered = true;
      socket.end(this.answerTo(question));
    };
    const timer = setTimeout(answer, QUESTION_MS);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      if (question.length <= LONGEST_QUESTION) question += text;
      if (question.includes('\n') || question.length > LONGEST_QUESTION) answer();
    });
    socket.once('end', answer);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    // The answer is out, or its reader is not there.
    socket.setTimeout(2 * QUESTION_MS, () => socket.destroy());
  }

  answerTo(question: string): string {
    this.#asked++;
    const answer = this.#answerTo(question);
    if (answer === null) this.#unknown++;
    return answer ?? UNKNOWN;
  }

  /** Of servers of that name in several backends, the first that is somebody's. Null: it is nobody's. */
  #answerTo(question: string): string | null {
    const asked = askedServer(question);
    if (asked === null) return null;
    const { policy, versions, servers, owners } = this.#ports;
    const isAsked = ({ backend, name, address }: ClaimedServer) =>
      (asked.backend === null || backend === asked.backend) &&
      (name === asked.name || address === asked.name);
    const told = servers();
    const known = told.length > 0 ? told : serversOfOneBackend(versions(), policy);
    // Not among them: the question is all that is known of it, a name or an address.
    const all = known.some(isAsked) ? known : [...known, asClaimed(asked, policy)];
    const remembered = new Map([...this.#owners, ...owners()]);
    const wanted = wantedStates(versions(), all, { servers: policy.servers, remembered });
    for (const { server, version } of wanted) {
      if (this.#owners.size < MOST_OWNERS) this.#owners.set(serverKey(server), version);
    }
    const found = wanted.find(({ server }) => isAsked(server));
    if (found === undefined) return null;
    return agentAnswer(found.state, this.#percentOf(found, wanted));
  }

  /** What HAProxy configured servers with is not known here: those of a version are taken to be alike. */
  #percentOf(found: WantedServer, wanted: readonly WantedServer[]): number {
    const { policy, versions } = this.#ports;
    if (policy.weights === 'keep') return 100;
    const weight = wantedWeights(versions(), wanted, () => 1).get(serverKey(found.server)) ?? HEAVIEST;
    return weight === 0 ? 0 : Math.max(1, Math.round((weight / HEAVIEST) * 100));
  }
}

/**
 * Where no socket says what there is, and all is of one backend: the servers that the configuration and the versions name.
 * They tell whether a staged version's servers stand beside those that take traffic.
 */
function serversOfOneBackend(
  versions: readonly DrivenVersion[],
  { backends, servers }: HaproxyPolicy,
): readonly ClaimedServer[] {
  const [backend] = backends;
  if (backend === undefined || backends.length > 1) return [];
  const names = servers === null ? [] : [...servers.values()].flat();
  const addresses = versions.flatMap(({ upstreams }) => upstreams.map(({ address }) => address));
  return [...new Set([...names, ...addresses])].map((name) => ({ backend, name, address: name }));
}

function asClaimed(
  { backend, name }: { readonly backend: string | null; readonly name: string },
  { backends }: HaproxyPolicy,
): ClaimedServer {
  return { backend: backend ?? backends[0] ?? '', name, address: name };
}

function formatListen(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
