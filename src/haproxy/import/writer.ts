// Lockstep's configuration as YAML, with the line of HAProxy's behind each value.

import type { Entry } from './entry.ts';
import type { Imported } from './importer.ts';
import type { Listener } from './listeners.ts';
import type { Place } from './place.ts';
import type { Pool } from './pools.ts';

/** Comments begin there where the value is short enough. */
const COMMENT_COLUMN = 40;

export function writeConfiguration(imported: Imported): string {
  const blocks = [
    head(imported),
    listenBlock(imported.listeners),
    imported.hosts === null
      ? []
      : [line(0, `hosts: ${list(imported.hosts.names)}`, place(imported.hosts.from, 'use_backend'))],
    imported.adminPort === null
      ? []
      : [
          line(
            0,
            `admin: { listen: 127.0.0.1:${imported.adminPort} }`,
            'the default, 9090, is taken by one of these addresses',
          ),
        ],
    section('cookie', imported.cookie),
    single(imported.affinity),
    single(imported.trustedProxies),
    versionsBlock(imported.versions, imported.active),
    discoveryBlock(imported),
    section('health', imported.health),
    section('limits', imported.limits),
    drivingBlock(imported),
  ];
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
}

function head({ files, backend }: Imported): string[] {
  return [
    `# Lockstep's configuration, made by \`lockstep import\` of ${said(files.join(', '))}, backend ${said(backend)}.`,
    '# Behind each value stands the line that it comes from; what has no place here was told beside it.',
    '# Check it with:  lockstep check --config lockstep.yaml',
  ];
}

function listenBlock(listeners: readonly Listener[]): string[] {
  const lines = listeners.flatMap((listener) => {
    const { address, tls, proxyProtocol, leftOut } = listener;
    const where = place(listener.from, listener.says);
    if (leftOut !== null) return [line(2, `# - ${scalar(address)}`, `${where}, left out: ${leftOut}`)];
    if (tls === null && proxyProtocol === null) return [line(2, `- ${scalar(address)}`, where)];
    return [
      line(2, `- address: ${scalar(address)}`, where),
      ...(tls === null ? [] : [`    tls: { cert: ${scalar(tls.cert)}, key: ${scalar(tls.key)} }`]),
      ...(proxyProtocol === null
        ? []
        : [line(4, `proxyProtocol: ${list(proxyProtocol)}`, 'only whom you trust: your load balancer')]),
    ];
  });
  return ['# HAProxy has to give these addresses up before Lockstep can listen there.', 'listen:', ...lines];
}

function versionsBlock(versions: readonly Pool[], active: string | null): string[] {
  if (active === null) return [];
  const lines = versions.flatMap(({ id, upstreams, sendProxy }) => [
    `  ${scalar(id)}:`,
    '    upstreams:',
    ...upstreams.map(({ name, address, leftOut, ...from }) => {
      const upstream = `- ${scalar(`http://${address}`)}`;
      const where = `${name}, ${shortPlace(from)}`;
      return leftOut === null
        ? line(6, upstream, where)
        : line(6, `# ${upstream}`, `${where}, left out: ${leftOut}`);
    }),
    ...(sendProxy === 'none' ? [] : [`    sendProxy: ${sendProxy}`]),
  ]);
  return [
    'versions:',
    ...lines,
    line(0, `active: ${scalar(active)}`, 'at the first start; afterwards the stored state says'),
  ];
}

/** In force, or commented out as a suggestion. */
function discoveryBlock({ dnsNames, health }: Imported): string[] {
  if (dnsNames === null) return [];
  const { names, resolvers, isInForce } = dnsNames;
  const isHeard = health.some(({ key, value }) => key === 'path' && value !== null);
  const mark = isInForce ? '' : '# ';
  const version = isHeard ? '{ header: x-app-version }' : '{ path: /version }';
  return [
    '# Servers that come and go in DNS. Each is of the version that it says it runs, and moves when it says another.',
    ...(isInForce
      ? []
      : ['# To use it instead of an upstream by name, have your servers say their version:']),
    `${mark}discovery:`,
    `${mark}  dns:`,
    ...names.map(({ name, type, port, every, ...from }) => {
      const where = port === null ? '' : `, port: ${port}`;
      const entry = `- { name: ${scalar(name)}, type: ${type}${where}, every: ${every} }`;
      return `${mark}${line(4, entry, shortPlace(from))}`;
    }),
    ...(resolvers.length === 0 ? [] : [`${mark}  resolvers: ${list(resolvers)}`]),
    `${mark}${line(2, `version: ${version}`, isHeard ? 'in answers to health checks' : 'a path that answers with it alone')}`,
  ];
}

function drivingBlock({ runtimeSocket, backend }: Imported): string[] {
  if (runtimeSocket === null) return [];
  const { address, ...from } = runtimeSocket;
  const haproxy = `haproxy: { sockets: [${scalar(address)}], backend: ${scalar(backend)} }`;
  return [
    "# While HAProxy goes on, for others or behind Lockstep, the states of its servers can follow Lockstep's versions:",
    `# ${line(0, haproxy, place(from, 'stats socket'))}`,
  ];
}

function section(name: string, entries: readonly Entry[]): string[] {
  return entries.length === 0
    ? []
    : [
        `${name}:`,
        ...entries.map(({ key, value, from, says }) => line(2, `${key}: ${write(value)}`, place(from, says))),
      ];
}

function single(entry: Entry | null): string[] {
  return entry === null
    ? []
    : [line(0, `${entry.key}: ${write(entry.value)}`, place(entry.from, entry.says))];
}

function line(indent: number, text: string, comment: string): string {
  const start = `${' '.repeat(indent)}${text}`;
  return `${start.padEnd(COMMENT_COLUMN - 1)} # ${said(comment)}`;
}

function place(from: Place, says: string): string {
  return `${shortPlace(from)}: ${says}`;
}

function write(value: Entry['value']): string {
  if (value === null || typeof value === 'number') return String(value);
  return typeof value === 'string' ? scalar(value) : list(value);
}

function list(values: readonly string[]): string {
  return `[${values.map(scalar).join(', ')}]`;
}

/** Words that YAML, or an old reader of it, takes for something else than a text. */
const NO_TEXT = /^(?:true|false|null|yes|no|on|off|y|n|~|[-+.\d_]+(?:e[-+]?\d+)?|0x[\da-f]+|0o[0-7]+)$/i;
const PLAIN = /^[A-Za-z0-9/][A-Za-z0-9._/:@+*-]*$/;

function scalar(text: string): string {
  if (PLAIN.test(text) && !NO_TEXT.test(text) && !text.endsWith(':')) return text;
  // "${" would be a variable to Lockstep.
  return JSON.stringify(text.replaceAll('${', () => '$${'));
}

/** In a comment: on one line. */
function said(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** Without its folder: the head has the whole names. */
function shortPlace({ file, line: at }: Place): string {
  return `${file.slice(file.lastIndexOf('/') + 1)}:${at}`;
}
