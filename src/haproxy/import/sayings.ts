// Why a line of HAProxy's is not carried over: keywords, the longest phrase that fits counts. What is carried over is in
// the other files of this folder, and is not looked up here.

import type { NoteKind } from './place.ts';

export type Saying = readonly [NoteKind, string];

const OF_THE_PROCESS: Saying = ['left-out', "it is about HAProxy's own process"];
const ACCESS: Saying = [
  'left-out',
  'it refuses or limits requests, which Lockstep does not: keep HAProxy in front, or let the application do it',
];
const REWRITE: Saying = [
  'left-out',
  'Lockstep passes requests and answers as they come: let the application do it, or keep HAProxy',
];
const LOGGING: Saying = ['covered', 'Lockstep writes one JSON line for each request (log.access)'];
const STATS: Saying = ['covered', 'lockstep status, and /metrics of the admin API, tell what goes on'];
const CONDITIONS: Saying = ['left-out', 'it is a condition of rules, and goes with them'];
const PAGES: Saying = ['left-out', "Lockstep's own answers have pages of their own"];
const KEEP_ALIVE: Saying = ['covered', 'Lockstep keeps connections of both sides open between requests'];
const TCP_RULES: Saying = ['left-out', 'it judges connections before HTTP, which Lockstep does not'];
const SYSTEM: Saying = ['covered', 'the system and Lockstep see to it'];
const TLS: Saying = ['left-out', "TLS is spoken as Node's defaults say: TLS 1.2 and 1.3"];
const RETRIES: Saying = [
  'changed',
  'a request that reached no server is sent once more elsewhere, within limits.retries',
];
const TABLES: Saying = ['left-out', 'it counts or remembers for rules of HAProxy'];
const FORWARDED: Saying = [
  'covered',
  'x-forwarded-for, -proto and -host are always sent, and those of trustedProxies are believed',
];

/** Of `http-request` and its kin. */
const ACTIONS: readonly (readonly [RegExp, Saying])[] = [
  [
    /^(?:deny|reject|tarpit|silent-drop|auth|wait-for|track-sc|sc-|normalize-uri|disable-l7-retry|pause|set-bandwidth)/,
    ACCESS,
  ],
  [
    /^redirect/,
    ['left-out', 'Lockstep redirects nobody: let the application do it, or keep HAProxy in front'],
  ],
  [
    /^(?:return|use-service|cache-|do-resolve|lua)/,
    ['left-out', 'Lockstep answers nothing itself: let the application do it, or keep HAProxy'],
  ],
  [
    /^(?:set-log-level|capture|set-var|unset-var|send-spoe|set-tos|set-mark|set-nice|set-priority|set-fc-|set-bc-)/,
    ['left-out', 'it serves rules or logs of HAProxy'],
  ],
  [
    /^set-src|^set-dst/,
    ['left-out', 'the address of a client comes from its connection, or from trustedProxies'],
  ],
];

const PHRASES: ReadonlyMap<string, Saying> = new Map<string, Saying>([
  ['acl', CONDITIONS],
  ['backlog', OF_THE_PROCESS],
  ['bind-process', OF_THE_PROCESS],
  ['block', ACCESS],
  ['capture', LOGGING],
  [
    'compression',
    ['left-out', 'Lockstep compresses nothing: let the application do it, or keep HAProxy in front'],
  ],
  ['declare capture', LOGGING],
  ['description', ['covered', 'it is a remark']],
  ['dispatch', ['left-out', 'Lockstep needs servers with addresses']],
  ['email-alert', ['left-out', 'hooks tell of what happens: see lockstep events']],
  ['errorfile', PAGES],
  ['errorfiles', PAGES],
  ['errorloc', PAGES],
  ['errorloc302', PAGES],
  ['errorloc303', PAGES],
  ['external-check', ['left-out', 'Lockstep checks by HTTP or by a TCP connect']],
  ['filter', ['left-out', 'Lockstep has no filters: keep HAProxy in front for them']],
  ['force-persist', ['left-out', 'lockstep preview shows a version before it takes traffic']],
  [
    'fullconn',
    ['left-out', 'the limit of a server does not grow with the load: limits.upstreamConnections holds'],
  ],
  ['hash-type', ['left-out', 'Lockstep takes the least busy server']],
  ['hash-preserve-affinity', ['left-out', 'Lockstep takes the least busy server']],
  ['hash-balance-factor', ['left-out', 'Lockstep takes the least busy server']],
  ['dynamic-cookie-key', ['covered', 'the pin is signed: cookie.keys']],
  [
    'http-check disable-on-404',
    ['left-out', 'a 404 is a failed check to Lockstep: drain by lockstep drain or disable'],
  ],
  ['http-check send-state', ['left-out', 'checks carry nothing but a path']],
  ['http-check', ['left-out', 'Lockstep checks by one GET']],
  ['http-error', PAGES],
  ['http-reuse', ['covered', 'connections to servers are used again where that is safe']],
  ['http-send-name-header', ['left-out', 'servers are not told their names']],
  ['id', ['covered', 'it is a number of HAProxy']],
  ['ignore-persist', ['left-out', 'the pin holds for all requests of a session']],
  ['load-server-state-from-file', ['left-out', 'what lockstep disable and drain said is kept in state']],
  ['log', LOGGING],
  ['log-format', LOGGING],
  ['log-format-sd', LOGGING],
  ['log-tag', LOGGING],
  ['error-log-format', LOGGING],
  ['max-keep-alive-queue', KEEP_ALIVE],
  ['monitor fail', ['left-out', '/readyz of the admin API says whether Lockstep can serve']],
  ['monitor-net', ['left-out', '/readyz of the admin API says whether Lockstep can serve']],
  [
    'monitor-uri',
    [
      'left-out',
      '/readyz of the admin API says whether Lockstep can serve; this path goes to the application now',
    ],
  ],
  ['option', ['left-out', 'lockstep import does not know this option']],
  ['option abortonclose', ['covered', 'a request whose client has gone is given up']],
  ['option accept-invalid-http-request', ['left-out', 'what is ambiguous in HTTP is refused']],
  ['option accept-invalid-http-response', ['left-out', 'what is ambiguous in HTTP is refused']],
  ['option accept-unsafe-violations-in-http-request', ['left-out', 'what is ambiguous in HTTP is refused']],
  ['option accept-unsafe-violations-in-http-response', ['left-out', 'what is ambiguous in HTTP is refused']],
  ['option allbackups', ['left-out', 'Lockstep has no backup servers']],
  ['option checkcache', ['covered', 'an answer with a pin is private']],
  ['option clitcpka', SYSTEM],
  ['option contstats', STATS],
  ['option dontlog-normal', LOGGING],
  ['option dontlognull', LOGGING],
  ['option forceclose', ['left-out', 'connections stay open between requests']],
  ['option forwarded', ['left-out', 'the Forwarded field is not sent, X-Forwarded-* are']],
  ['option forwardfor', FORWARDED],
  ['option http-buffer-request', ['left-out', 'bodies are passed on as they come']],
  ['option http-ignore-probes', ['covered', 'a connection without a request ends without an answer']],
  ['option http-keep-alive', KEEP_ALIVE],
  ['option http-no-delay', SYSTEM],
  ['option http-pretend-keepalive', KEEP_ALIVE],
  [
    'option http-restrict-req-hdr-names',
    ['covered', 'names that differ from known ones by _ alone are dropped'],
  ],
  ['option http-server-close', ['left-out', 'connections to servers stay open between requests']],
  ['option http-tunnel', ['left-out', 'each request of a connection is routed']],
  ['option http-use-htx', ['covered', 'it is about how HAProxy works inside']],
  ['option httpclose', ['left-out', 'connections stay open between requests']],
  ['option httplog', LOGGING],
  ['option httpslog', LOGGING],
  ['option idle-close-on-response', SYSTEM],
  ['option independent-streams', SYSTEM],
  ['option log-health-checks', ['covered', 'lockstep events tells of servers that come and go']],
  ['option log-separate-errors', LOGGING],
  ['option logasap', LOGGING],
  ['option nolinger', SYSTEM],
  ['option originalto', ['left-out', 'X-Original-To is not sent']],
  ['option persist', ['left-out', 'a session whose server is down gets another one of its version']],
  ['option prefer-last-server', ['covered', 'affinity says whether a session stays on its server']],
  ['option redispatch', RETRIES],
  ['option socket-stats', STATS],
  ['option splice-auto', SYSTEM],
  ['option splice-request', SYSTEM],
  ['option splice-response', SYSTEM],
  ['option srvtcpka', SYSTEM],
  ['option tcp-smart-accept', SYSTEM],
  ['option tcp-smart-connect', SYSTEM],
  ['option tcpka', SYSTEM],
  ['option tcplog', LOGGING],
  ['option transparent', ['left-out', 'Lockstep needs servers with addresses']],
  ['option http_proxy', ['left-out', 'Lockstep needs servers with addresses']],
  ['persist', ['left-out', 'it is for RDP']],
  ['rate-limit', ACCESS],
  [
    'redirect',
    ['left-out', 'Lockstep redirects nobody: let the application do it, or keep HAProxy in front'],
  ],
  ['reqadd', REWRITE],
  ['reqallow', ACCESS],
  ['reqdel', REWRITE],
  ['reqdeny', ACCESS],
  ['reqidel', REWRITE],
  ['reqideny', ACCESS],
  ['reqirep', REWRITE],
  ['reqrep', REWRITE],
  ['retries', RETRIES],
  ['retry-on', RETRIES],
  ['rspadd', REWRITE],
  ['rspdel', REWRITE],
  ['rspidel', REWRITE],
  ['rspirep', REWRITE],
  ['rsprep', REWRITE],
  ['server-state-file-name', ['left-out', 'what lockstep disable and drain said is kept in state']],
  ['source', ['left-out', "connections leave from the system's own address"]],
  ['stats', STATS],
  ['stick-table', TABLES],
  ['tcp-check', ['left-out', 'Lockstep checks by HTTP or by a TCP connect']],
  ['tcp-request', TCP_RULES],
  ['tcp-response', TCP_RULES],
  ['timeout', ['left-out', 'lockstep import does not know this timeout']],
  ['timeout client-fin', ['covered', 'limits.halfClose and limits.clientIdle see to it']],
  ['timeout client-hs', ['covered', 'limits.headerTimeout sees to it']],
  ['timeout server-fin', ['covered', 'limits.tunnelIdle and limits.clientIdle see to it']],
  ['timeout tarpit', ['left-out', 'Lockstep holds nobody up']],
  ['transparent', ['left-out', 'Lockstep needs servers with addresses']],
  ['unique-id-format', LOGGING],
  [
    'unique-id-header',
    ['left-out', 'requests are not numbered; x-lockstep-session is sent to the application'],
  ],
  ['use-fcgi-app', ['left-out', 'Lockstep speaks HTTP to servers']],
  [
    'use-server',
    ['left-out', 'Lockstep takes the least busy server; lockstep preview and affinity name one'],
  ],
  ['appsession', ['left-out', 'sessions stay by the pin']],
  ['default-path', ['covered', 'names of files are written with their folder']],
  ['crt-base', ['covered', 'names of files are written with their folder']],
]);

/** They are carried over where they count. */
const USED: ReadonlySet<string> = new Set([
  ...[
    'balance',
    'bind',
    'cookie',
    'default_backend',
    'maxconn',
    'use_backend',
    'stick',
    'disabled',
    'enabled',
  ],
  ...['connect', 'client', 'server', 'queue', 'tunnel', 'check', 'http-request', 'http-keep-alive'].map(
    (name) => `timeout ${name}`,
  ),
  ...[
    'httpchk',
    'tcp-check',
    'smtpchk',
    'ldap-check',
    'mysql-check',
    'pgsql-check',
    'redis-check',
    'ssl-hello-chk',
  ].map((name) => `option ${name}`),
  ...['option external-check', 'option spop-check'],
]);
const ANOTHER: Saying = ['covered', 'it does not apply to what is imported, or another line counts instead'];

/** In `global`. */
const GLOBALS: readonly (readonly [RegExp, Saying])[] = [
  [/^(?:ssl-|ca-base$|issuers-chain|tune\.ssl)/, TLS],
  [/^(?:log|log-)/, LOGGING],
  [
    /^(?:maxconn|setenv|presetenv|unsetenv|resetenv|default-path|crt-base)/,
    ['covered', 'it was followed where it mattered'],
  ],
  [/^stats$/, ['covered', 'the admin API takes its place: admin.listen']],
  [/^/, OF_THE_PROCESS],
];

export function sayingOfGlobal(words: readonly string[]): Saying {
  const [first = ''] = words;
  return GLOBALS.find(([pattern]) => pattern.test(first))![1];
}

/** Of a line in defaults, frontend, backend or listen. */
export function sayingOf(words: readonly string[]): Saying {
  const [first = '', second = ''] = words;
  if (USED.has(first) || USED.has(`${first} ${second}`)) return ANOTHER;
  if (/^http-(?:request|response|after-response)$/.test(first)) {
    return forwarded(words) ?? ACTIONS.find(([pattern]) => pattern.test(second))?.[1] ?? REWRITE;
  }
  const known = PHRASES.get(`${first} ${second}`) ?? PHRASES.get(first);
  return known ?? ['left-out', 'lockstep import does not know this keyword'];
}

/** `http-request set-header X-Forwarded-Proto https` is what Lockstep does anyway. */
function forwarded([, action = '', field = '']: readonly string[]): Saying | null {
  const isHeader = action === 'set-header' || action === 'add-header' || action === 'del-header';
  return isHeader && /^x-forwarded-(?:for|proto|host)$/i.test(field) ? FORWARDED : null;
}

/** As it is named to people: never more than the keyword, for values may be passwords. */
export function phraseOf(words: readonly string[]): string {
  const [first = '', second = ''] = words;
  if (/^http-(?:request|response|after-response)$/.test(first))
    return `${first} ${second.replace(/\(.*/s, '')}`;
  const isPair = [
    'option',
    'timeout',
    'stats',
    'http-check',
    'capture',
    'declare',
    'monitor',
    'stick',
    'tcp-request',
    'tcp-check',
    'email-alert',
  ];
  return isPair.includes(first) && second !== '' ? `${first} ${second}` : first;
}
