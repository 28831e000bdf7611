// Parameters behind a `server`, `default-server` or `bind`: which of them takes values (configuration.txt, sections 5.1
// and 5.2). One that is not known counts as a word by itself.

const SERVER_VALUES: ReadonlySet<string> = new Set([
  ...['addr', 'agent-send', 'agent-inter', 'agent-addr', 'agent-port', 'alpn', 'ca-file', 'cc', 'check-alpn'],
  ...[
    'check-pool-conn-name',
    'check-proto',
    'check-sni',
    'ciphers',
    'ciphersuites',
    'client-sigalgs',
    'cookie',
  ],
  ...[
    'crl-file',
    'crt',
    'curves',
    'error-limit',
    'fall',
    'guid',
    'hash-key',
    'healthcheck',
    'id',
    'idle-ping',
  ],
  ...[
    'init-addr',
    'inter',
    'fastinter',
    'downinter',
    'init-state',
    'ktls',
    'log-bufsize',
    'log-proto',
    'maxconn',
  ],
  ...['maxqueue', 'max-reuse', 'minconn', 'namespace', 'npn', 'observe', 'on-error', 'on-marked-down'],
  ...[
    'on-marked-up',
    'pool-conn-name',
    'pool-low-conn',
    'pool-max-conn',
    'pool-purge-delay',
    'port',
    'proto',
  ],
  ...[
    'proxy-v2-options',
    'quic-cc-algo',
    'redir',
    'resolve-opts',
    'resolve-prefer',
    'resolve-net',
    'resolvers',
  ],
  ...[
    'rise',
    'shard',
    'sigalgs',
    'slowstart',
    'sni',
    'socks4',
    'ssl-max-ver',
    'ssl-min-ver',
    'tcp-md5sig',
    'tcp-ut',
  ],
  ...['track', 'usesrc', 'interface', 'verify', 'verifyhost', 'weight', 'ws', 'source', 'from', 'name'],
]);

const BIND_VALUES: ReadonlySet<string> = new Set([
  ...[
    'accept-netscaler-cip',
    'alpn',
    'backlog',
    'curves',
    'ecdhe',
    'ca-file',
    'ca-ignore-err',
    'ca-sign-file',
  ],
  ...['ca-sign-pass', 'ca-verify-file', 'cc', 'ciphers', 'ciphersuites', 'client-sigalgs', 'crl-file', 'crt'],
  ...[
    'crt-ignore-err',
    'crt-list',
    'default-crt',
    'gid',
    'group',
    'guid-prefix',
    'id',
    'idle-ping',
    'interface',
  ],
  ...['ktls', 'label', 'level', 'maxconn', 'mode', 'mss', 'name', 'namespace', 'nbconn', 'nice', 'npn'],
  ...[
    'ocsp-update',
    'process',
    'proto',
    'quic-cc-algo',
    'quic-socket',
    'severity-output',
    'shards',
    'sigalgs',
  ],
  ...[
    'ssl-max-ver',
    'ssl-min-ver',
    'tcp-md5sig',
    'tcp-ut',
    'thread',
    'tls-ticket-keys',
    'uid',
    'user',
    'verify',
  ],
]);

export interface Parameter {
  readonly name: string;
  /** '' where it takes none. */
  readonly value: string;
}

export function readServerParameters(words: readonly string[]): readonly Parameter[] {
  return readParameters(words, (name) => SERVER_VALUES.has(name) || name.startsWith('set-proxy-v2-tlv-fmt('));
}

export function readBindParameters(words: readonly string[]): readonly Parameter[] {
  return readParameters(words, (name) => BIND_VALUES.has(name));
}

function readParameters(
  words: readonly string[],
  takesValue: (name: string) => boolean,
): readonly Parameter[] {
  const parameters: Parameter[] = [];
  for (let at = 0; at < words.length; at++) {
    const name = words[at]!;
    parameters.push({ name, value: takesValue(name) ? (words[++at] ?? '') : '' });
  }
  return parameters;
}
