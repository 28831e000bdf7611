// What is said of parameters of `server` lines that are not carried over. Those that are stand in checks.ts, limits.ts,
// persistence.ts and pools.ts.

import type { Findings, NoteKind } from './place.ts';
import type { Server } from './servers.ts';

type Saying = readonly [NoteKind, string];

/** Carried over, said elsewhere, or of no consequence. */
const SILENT: ReadonlySet<string> = new Set([
  ...[
    'check',
    'inter',
    'rise',
    'fall',
    'slowstart',
    'port',
    'addr',
    'healthcheck',
    'check-ssl',
    'check-via-socks4',
  ],
  ...['cookie', 'maxconn', 'maxqueue', 'weight', 'disabled', 'enabled', 'backup', 'ssl', 'verify', 'socks4'],
  ...[
    'send-proxy',
    'send-proxy-v2',
    'id',
    'guid',
    'stick',
    'tfo',
    'tcp-ut',
    'proto',
    'shard',
    'hash-key',
    'resolve-net',
  ],
]);

const RESOLVING: Saying = [
  'covered',
  'Lockstep looks the name up for each new connection, as the system does',
];
const TLS: Saying = ['left-out', 'Lockstep speaks no TLS to servers'];
const AGENT: Saying = [
  'left-out',
  'Lockstep asks no agent: weights and states are changed by its own commands',
];
const POOLING: Saying = ['covered', 'Lockstep keeps idle connections for limits.upstreamIdle'];
const PASSIVE: Saying = ['covered', 'health.connectFaults and health.answerFaults watch what requests meet'];

const SAYINGS: ReadonlyMap<string, Saying> = new Map<string, Saying>([
  ['fastinter', ['left-out', 'checks come at one pace, health.interval']],
  ['downinter', ['left-out', 'checks come at one pace, health.interval']],
  ['track', ['changed', 'each server is checked by itself, whatever another one tells']],
  [
    'minconn',
    ['left-out', 'the limit of a server does not grow with the load: limits.upstreamConnections holds'],
  ],
  ['observe', PASSIVE],
  ['error-limit', PASSIVE],
  ['on-error', PASSIVE],
  ['on-marked-down', ['left-out', 'requests under way at a server that goes down end by themselves']],
  ['on-marked-up', ['left-out', 'sessions go back to their version, never from a backup']],
  ['non-stick', ['left-out', 'affinity holds for all servers of a version']],
  ['init-state', ['left-out', 'a server that was not checked yet can be used, and not be promoted']],
  ['redir', ['left-out', 'Lockstep forwards, and redirects nobody']],
  ['source', ['left-out', "connections leave from the system's own address"]],
  ['namespace', ['left-out', 'Lockstep connects from its own network namespace']],
  ['log-proto', ['left-out', 'no logs are sent through it']],
  ['ws', ['left-out', 'WebSockets go over HTTP/1.1']],
  ['tcp-md5sig', ['left-out', 'connections to servers are not signed']],
  ['check-send-proxy', ['changed', 'checks come without the PROXY protocol, unless requests come with it']],
  ['send-proxy-v2-ssl', ['changed', 'version 2 of the PROXY protocol is sent without facts about TLS']],
  ['send-proxy-v2-ssl-cn', ['changed', 'version 2 of the PROXY protocol is sent without facts about TLS']],
  ['proxy-v2-options', ['left-out', 'version 2 of the PROXY protocol is sent with addresses alone']],
  ['strict-maxconn', ['covered', 'limits.upstreamConnections is never exceeded']],
  ['usesrc', ['left-out', "connections leave from the system's own address"]],
  ['interface', ['left-out', "connections leave from the system's own address"]],
]);

const PREFIXES: readonly (readonly [RegExp, Saying])[] = [
  [/^(?:resolve-|resolvers$|init-addr$)/, RESOLVING],
  [/^(?:no-)?agent-/, AGENT],
  [/^(?:pool-|max-reuse$|idle-ping$|check-reuse-pool$|check-pool)/, POOLING],
  [
    /^(?:ca-|crl-|crt$|ciphers|curves|alpn$|npn$|sni|ssl-|force-|tls-|sigalgs|client-|verifyhost|allow-0rtt|ktls|check-sni|check-alpn|check-proto|renegotiate|no-ssl|no-tls|no-verifyhost|no-renegotiate)/,
    TLS,
  ],
  [/^set-proxy-v2-tlv/, ['left-out', 'version 2 of the PROXY protocol is sent with addresses alone']],
  [/^no-/, ['covered', 'it is the default']],
];

export function tellParameters(servers: readonly Server[], findings: Findings): void {
  for (const server of servers) {
    for (const [name, setting] of server.parameters) {
      if (SILENT.has(name)) continue;
      const saying = SAYINGS.get(name) ?? PREFIXES.find(([pattern]) => pattern.test(name))?.[1];
      const [kind, why]: Saying = saying ?? ['left-out', 'lockstep import does not know this word'];
      findings.note(setting, kind, `server ${name}`, why);
    }
  }
  tellWeights(servers, findings);
}

function tellWeights(servers: readonly Server[], findings: Findings): void {
  const weights = servers
    .map(({ parameters }) => parameters.get('weight')?.value ?? '1')
    .filter((weight) => weight !== '0');
  if (new Set(weights).size < 2) return;
  for (const { name, parameters } of servers) {
    const weight = parameters.get('weight');
    if (weight === undefined || weight.value === '0') continue;
    const why = `${name} had weight ${weight.value}: servers have none here, each request goes to the least busy one`;
    findings.note(weight, 'left-out', 'server weight', why);
  }
}
