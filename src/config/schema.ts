// What the file may say: every key with its reader, its default and a sentence about it.
// Each top-level section is read on its own (load.ts), so that the problems of one do not hide those of another.
// What several keys must agree on is in checks.ts.

import * as z from 'zod';
import { ACCEPTED_CLIENTS, namesClients } from '../core/accepted-clients.ts';
import { SEND_PROXY } from '../core/proxy-header.ts';
import { REPORT } from '../core/reported-version.ts';
import { EVENT_TYPES } from '../core/status.ts';
import { VERSION_ID } from '../core/versions.ts';
import { LONGEST_WARM_UP_MS } from '../core/warm.ts';
import { adminAddress, cidr, cookieDomain, hookUrl, hostName, upstream } from './addresses.ts';
import { ASSETS } from './asset-section.ts';
import { DISCOVERY } from './discovery-section.ts';
import { HAPROXY } from './haproxy-section.ts';
import { mapping } from './mapping.ts';
import { marker } from './markers.ts';
import {
  count,
  duration,
  FILE_NAME,
  factor,
  field,
  flag,
  LONGEST_TIMER_MS,
  NOT_IN_THIS_VERSION,
  oneOf,
  orNull,
  PATH,
  percent,
  type Reader,
  reportHeader,
  size,
  text,
} from './readers.ts';
import { adminToken, hookSecret, pinKey } from './secrets.ts';

/** Browsers cut Max-Age at 400 days (RFC 6265bis section 5.5). */
const LONGEST_LIFE_MS = 400 * 24 * 3_600_000;
const SECOND_MS = 1_000;
const KIB = 1_024;
const GIB = 1_024 ** 3;
const SAME_SITE_STRICT =
  ': browsers drop Strict on cross-site navigations, so that the page would come from one version and its assets from another';
const UNSAFE_NEWEST = ': an unsafe request of an old page is never sent to another version';

const PROTECTED_PATH = text(
  'a path such as /checkout, or a prefix such as /checkout/*',
  /^\/[\x21-\x29\x2b-\x7e]*\*?$/,
);
const TOKEN_NAME = text(
  'a name of letters, digits and . _ - (not "local")',
  /^(?!local$)[A-Za-z0-9._-]{1,64}$/,
);
// RFC 6265 section 4.1.1: a cookie's name is a token.
const COOKIE_NAME = text(
  "a cookie name: letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/,
);

const timer = (minMs: number) => field(duration(minMs, LONGEST_TIMER_MS));
const life = (minMs: number) => duration(minMs, LONGEST_LIFE_MS);

const MOST_THREADS = 64;
const threads: Reader<'auto' | number> = (value) => {
  if (value === 'auto') return { value };
  const count = /^[1-9]\d*$/.test(String(value)) ? Number(value) : 0;
  if (count >= 1 && count <= MOST_THREADS) return { value: count };
  return { expected: `auto or a number from 1 to ${MOST_THREADS}` };
};

const stateDirectory: Reader<string> = (value) => {
  const expected = 'a directory';
  if (typeof value !== 'string' || value === '' || value.includes('\0')) return { expected };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1];
  // Such an address may hold a password.
  if (scheme !== undefined) return { expected, got: `a ${scheme}:// address`, note: NOT_IN_THIS_VERSION };
  return { value };
};

type AccessLogTarget = 'stdout' | 'off' | { readonly file: string };

const accessLog: Reader<AccessLogTarget> = (value) => {
  if (value === 'stdout' || value === 'off') return { value };
  if (typeof value === 'object' && value !== null && Object.keys(value).join() === 'file') {
    const file = FILE_NAME((value as { file: unknown }).file);
    if ('value' in file) return { value: { file: file.value } };
  }
  return { expected: 'stdout, off or { file: NAME }' };
};

const acceptedClients: Reader<string> = (value) =>
  typeof value === 'string' && namesClients(value) ? { value } : { expected: ACCEPTED_CLIENTS };

export const VERSION = mapping({
  upstreams: z.array(field(upstream)).min(1).describe('http://host:port of each server of this version.'),
  reports: field(orNull(text('a text of at most 128 characters without blanks', REPORT)))
    .prefault(null)
    .describe('What its servers say that they run in skew.header, such as a git sha; null: its id.'),
  sendProxy: field(oneOf(SEND_PROXY))
    .prefault('none')
    .describe(
      'PROXY header with which each connection to its servers begins: of the client that it is opened for, and kept for. For HAProxy’s accept-proxy.',
    ),
  acceptsClientsOf: z
    .array(field(acceptedClients))
    .default([])
    .describe(
      'Versions, by id or semver range, whose clients it serves when theirs are gone: also what they POST. Others get what deadPin says.',
    ),
});

/** Read one at a time. `listen` and `versions` are not here: load.ts reads them item by item. */
export const SECTIONS = {
  hosts: z
    .array(field(hostName))
    .min(1)
    .nullable()
    .default(null)
    .describe('Names that are served; any other Host is a 421. null: all are.'),
  threads: field(threads)
    .prefault('auto')
    .describe(
      'Threads that move requests. 1: the main thread does, which takes least memory; auto: one for each core, at most 8.',
    ),
  engine: field(oneOf(['wire', 'http-proxy']))
    .prefault('wire')
    .describe(
      'What moves the requests. wire is strict and fast; http-proxy (on Node’s own parser) is for applications whose HTTP it refuses.',
    ),
  admin: mapping({
    listen: field(adminAddress)
      .prefault('127.0.0.1:9090')
      .describe('Where the admin API listens; unix:PATH is a socket that only its owner can open.'),
    tokens: z
      .array(
        mapping({
          name: field(TOKEN_NAME).describe('Stands in the audit log.'),
          token: field(adminToken).describe('The bearer token.'),
          role: field(oneOf(['viewer', 'operator'])).describe('Viewers read, operators change.'),
        }),
      )
      .default([])
      .describe('Without tokens the admin API listens on loopback or a UNIX socket only.'),
  })
    .prefault({})
    .describe('For the lockstep command, dashboards and Prometheus.'),
  state: field(stateDirectory)
    .prefault('./state')
    .describe(
      'Directory that remembers versions and what is active; one gateway at a time. Relative to the file.',
    ),
  cookie: mapping({
    name: field(COOKIE_NAME)
      .prefault('lockstep')
      .describe('Name of the pin. __Host- wants TLS and no domain.'),
    idle: field(life(SECOND_MS))
      .prefault('30m')
      .describe('A session without a request for longer than this is over.'),
    life: field(life(SECOND_MS)).prefault('12h').describe('A session is over after this, however busy.'),
    sameSite: field(oneOf(['auto', 'lax', 'none'], { strict: SAME_SITE_STRICT }))
      .prefault('auto')
      .describe('auto: None where the client side is TLS, else Lax.'),
    domain: field(orNull(cookieDomain))
      .prefault(null)
      .describe('Shares sessions among the sub-domains of it; null: this host only.'),
    maxAge: field(orNull(life(SECOND_MS)))
      .prefault(null)
      .describe('How long browsers keep the pin; null: until they close.'),
    strip: field(flag).prefault(false).describe('Hide the pin from the application.'),
    sharedCache: field(flag)
      .prefault(false)
      .describe('A CDN stands in front; what it may keep is never pinned.'),
    keys: z
      .array(field(pinKey))
      .default([])
      .describe('The first signs, all verify. Empty: one is made and kept in the state directory.'),
  })
    .prefault({})
    .describe('The pin: the cookie that keeps a browser session on its version.'),
  pin: mapping({
    scope: field(oneOf(['session', 'page']))
      .prefault('session')
      .describe(
        'session: page loads stay with the version of the pin, until the drain says otherwise; page: each page load gets the newest version, and what the page asks for stays with the version of the page.',
      ),
  })
    .prefault({})
    .describe('What a pin holds together: see docs/pinning.md.'),
  affinity: field(oneOf(['none', 'upstream']))
    .prefault('none')
    .describe('upstream: a session stays on one server of its version.'),
  markers: z
    .array(field(marker))
    .default([])
    .describe(
      'What names a version besides the pin, as frameworks and platforms do: vercel, next, nuxt, sveltekit, netlify, amplify, platformatic; or { header: x-build }, { query: v }, { cookie: name }, { path: "/app/{version}/*" }.',
    ),
  trustedProxies: z.array(field(cidr)).default([]).describe('Networks whose X-Forwarded-* is believed.'),
  active: field(orNull(text('the id of a version', VERSION_ID)))
    .prefault(null)
    .describe('What new sessions get at the very first start; afterwards the stored state says.'),
  health: mapping({
    path: field(orNull(PATH))
      .prefault('/healthz')
      .describe('GET must answer 2xx; null: a TCP connect will do.'),
    interval: timer(100).prefault('2s').describe('Between two checks of one upstream.'),
    timeout: timer(50).prefault('1s').describe('Of one check.'),
    rise: field(count(1, 100)).prefault(2).describe('Good checks in a row that make it up.'),
    fall: field(count(1, 100)).prefault(3).describe('Bad checks in a row that make it down.'),
    slowStart: timer(0)
      .prefault('10s')
      .describe('An upstream that comes back gets a growing share of requests for that long; 0s: off.'),
    connectFaults: field(orNull(count(1, 1_000)))
      .prefault(5)
      .describe(
        'Connections in a row that fail take it out without waiting for checks, but never the last one; null: off.',
      ),
    answerFaults: field(orNull(count(1, 1_000)))
      .prefault(10)
      .describe(
        'Answers in a row, to three client networks at least, that are 5xx, reset or late take it out, but never more than half of a pool; null: off.',
      ),
    outFor: timer(0)
      .prefault('10s')
      .describe(
        'So long it stays out for its answers, whatever checks say; twice as long when it is soon out again.',
      ),
  })
    .nullable()
    .describe('How an upstream is found to be up; without this block a TCP connect is the whole check.'),
  warm: mapping({
    paths: z
      .array(field(PATH))
      .min(1)
      .default(['/'])
      .describe('What each upstream is asked for; an answer below 500 is a good one.'),
    count: field(count(1, 1_000)).prefault(20).describe('Requests for each path to each upstream, at most.'),
    p95: timer(1).prefault('500ms').describe('Warm is an upstream whose answers take no longer than that.'),
    timeout: field(duration(SECOND_MS, LONGEST_WARM_UP_MS)).prefault('60s').describe('Of the whole warm-up.'),
  })
    .nullable()
    .default(null)
    .describe('Warm-up before a promote gives a version its first new sessions. null: none.'),
  analysis: mapping({
    errors: field(percent).prefault('1%').describe('Failed requests above the share of the active version.'),
    p95: field(factor(1, 100)).prefault(1.5).describe('Times as slow as the active version.'),
    min: field(count(1, 1_000_000))
      .prefault(500)
      .describe('Requests of new sessions, of both versions, before anything is judged.'),
  })
    .nullable()
    .prefault({})
    .describe('How much worse than the active version stops a canary by steps. null: nothing does.'),
  drain: mapping({
    grace: field(life(0)).prefault('0s').describe('Nothing happens for that long.'),
    nudge: field(orNull(life(0)))
      .prefault('0s')
      .describe('From then on answers say that an update is there.'),
    navigation: field(orNull(life(0)))
      .prefault(null)
      .describe('From then on navigations move to the new version.'),
    idle: field(orNull(life(SECOND_MS)))
      .prefault(null)
      .describe('Navigations after that much idleness move.'),
    deadline: field(orNull(life(0)))
      .prefault('12h')
      .describe('From then on everything moves; null: the drain may never end.'),
    protected: z.array(field(PROTECTED_PATH)).default([]).describe('Paths that only the deadline moves.'),
  })
    .prefault({})
    .describe('How a draining version is emptied; each step counts from the start of the drain.'),
  deadPin: mapping({
    navigation: field(oneOf(['newest', 'reload', 'unavailable', 'hold']))
      .prefault('newest')
      .describe('For a page load.'),
    safe: field(oneOf(['newest', 'reload', 'unavailable', 'hold']))
      .prefault('reload')
      .describe('For a GET by a page: AJAX, assets.'),
    unsafe: field(oneOf(['reload', 'unavailable', 'hold'], { newest: UNSAFE_NEWEST }))
      .prefault('reload')
      .describe('For a POST and the like; never sent to another version.'),
    patience: timer(0).prefault('5s').describe('Wait that long for a version whose servers are all away.'),
  })
    .prefault({})
    .describe(
      'What a request gets whose version is no longer served. newest: the version of new sessions; reload: 409 that tells the page to reload; unavailable: 503; hold: wait.',
    ),
  skew: mapping({
    header: field(orNull(reportHeader))
      .prefault('x-app-version')
      .describe(
        'Answer header in which servers say which build they run; compared to the letter with versions.ID.reports. null: it is not read.',
      ),
    detect: field(flag)
      .prefault(true)
      .describe(
        'Look for requests that are answered by another version than that of their page: lockstep skew.',
      ),
    quarantine: field(flag)
      .prefault(false)
      .describe(
        'A server that says it runs another build than its version is taken out, but never the last one up of a version that has sessions.',
      ),
  })
    .prefault({})
    .describe('Pages and answers of different versions: what is looked for, and what is done about it.'),
  assets: ASSETS,
  haproxy: HAPROXY,
  discovery: DISCOVERY,
  limits: mapping({
    connections: field(count(1, 1_000_000))
      .prefault(10_000)
      .describe('Client connections; more are closed at once. Each needs two file descriptors (ulimit -n).'),
    sessions: field(count(100, 2 ** 25))
      .prefault(1_000_000)
      .describe('Entries of the session ledger, 32 bytes each.'),
    headBytes: field(size(KIB, 1_024 * KIB))
      .prefault('16KiB')
      .describe('Of a request head, else 431.'),
    headers: field(count(8, 10_000)).prefault(100).describe('Fields of a request, else 431.'),
    uri: field(size(64, 1_024 * KIB))
      .prefault('8KiB')
      .describe('Of a request target, else 414.'),
    responseHead: field(size(KIB, 1_024 * KIB))
      .prefault('32KiB')
      .describe("Of an answer's head, else 502."),
    chunkExt: field(size(0, 1_024 * KIB))
      .prefault('4KiB')
      .describe('Chunk extensions of one body.'),
    trailers: field(size(0, 1_024 * KIB))
      .prefault('8KiB')
      .describe('Trailer fields of one body.'),
    body: field(orNull(size(0, 1_024 * GIB)))
      .prefault(null)
      .describe('Of a request body, else 413; null: any.'),
    headerTimeout: timer(100).prefault('10s').describe('For a request head to arrive, else 408.'),
    clientIdle: timer(100)
      .prefault('60s')
      .describe('Idle client connections are closed; more than that of a load balancer in front.'),
    bodyProgress: timer(100).prefault('30s').describe('Without a byte of the request body, then 408.'),
    sendProgress: timer(100)
      .prefault('60s')
      .describe('Without the client reading a byte, then the connection is cut.'),
    halfClose: timer(0)
      .prefault('50ms')
      .describe(
        'For a client that has ended its side, without an octet of its answer; then it counts as gone. Longer for clients that half-close and wait.',
      ),
    connect: timer(10).prefault('3s').describe('For a connection to an upstream, else 504.'),
    firstByte: timer(100).prefault('60s').describe('For an upstream to begin its answer, else 504.'),
    upstreamIdle: timer(100)
      .prefault('50s')
      .describe('Idle upstream connections are closed; less than their own keep-alive timeout.'),
    upstreamConnections: field(orNull(count(1, 1_000_000)))
      .prefault(5_000)
      .describe('Requests and WebSockets at one upstream at once; more wait for room. null: any number.'),
    queue: field(count(0, 100_000))
      .prefault(256)
      .describe('Requests of one version that wait for room, else 503.'),
    queueTimeout: timer(0).prefault('5s').describe('For room at an upstream, else 503.'),
    retries: field(percent)
      .prefault('20%')
      .describe('Requests sent once more, as a share of those of their version in the last 10 s.'),
    retriesPerSecond: field(count(0, 100_000))
      .prefault(10)
      .describe('So many each second may be sent once more, whatever that share says.'),
    tunnelIdle: timer(SECOND_MS)
      .prefault('1h')
      .describe(
        'WebSockets without a byte in either direction are closed; of those that one side has ended, limits.clientIdle is enough.',
      ),
    requestsPerConnection: field(orNull(count(1, 2 ** 31)))
      .prefault(null)
      .describe('Then the client has to connect anew; null: never.'),
    shutdown: timer(0).prefault('30s').describe('For requests under way after SIGTERM.'),
  })
    .prefault({})
    .describe('Each is finite unless it says null.'),
  hooks: z
    .array(
      mapping({
        on: z
          .array(field(oneOf(EVENT_TYPES)))
          .min(1)
          .describe('Events that are told.'),
        url: field(hookUrl).describe('Gets a POST with the event as JSON.'),
        secret: field(orNull(hookSecret))
          .prefault(null)
          .describe('Signs each delivery: x-lockstep-signature. null: not signed.'),
      }),
    )
    .default([])
    .describe('Webhooks: told of what happens.'),
  log: mapping({
    access: field(accessLog).prefault('stdout').describe('Where one JSON line for each request goes.'),
    level: field(oneOf(['debug', 'info', 'warn', 'error']))
      .prefault('info')
      .describe("Of the gateway's own log, which goes to stderr."),
  })
    .prefault({})
    .describe('What is written of requests and of the gateway.'),
} as const;

export const TOP_LEVEL_KEYS: readonly string[] = ['listen', 'versions', ...Object.keys(SECTIONS)];

export type Sections = { [K in keyof typeof SECTIONS]: z.output<(typeof SECTIONS)[K]> };
