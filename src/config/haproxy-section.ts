// What the file may say of HAProxy: see docs/haproxy.md.

import * as z from 'zod';
import type { RuntimeAddress } from '../core/haproxy.ts';
import { VERSION_ID } from '../core/versions.ts';
import { LONGEST_SOCKET_PATH, listenAddress } from './addresses.ts';
import { mapping } from './mapping.ts';
import { duration, field, oneOf, orNull, type Reader } from './readers.ts';

/** HAProxy's own rule for names (2.6, configuration.txt section 4). */
const NAME = /^[A-Za-z0-9_.:-]{1,128}$/;
const NAME_EXPECTED = 'a name as HAProxy takes it: letters, digits and - _ . :';
/** A look at all of them is one line, which has to fit into HAProxy's buffer. */
const MOST_BACKENDS = 16;
const MOST_SOCKETS = 64;

/** A path may be relative to the file. */
const runtimeAddress: Reader<RuntimeAddress> = (value) => {
  const expected = `the path of a stats socket such as /run/haproxy/admin.sock, of at most ${LONGEST_SOCKET_PATH} bytes, or host:port`;
  if (typeof value !== 'string' || value === '') return { expected };
  if (!value.includes('/')) {
    const read = listenAddress(value);
    return 'value' in read && read.value.port > 0 ? { value: read.value } : { expected };
  }
  const path = value.replace(/^unix[:@]/, '');
  const isPath =
    !path.endsWith('/') && !/\p{Cc}/u.test(path) && Buffer.byteLength(path) <= LONGEST_SOCKET_PATH;
  return isPath ? { value: { path } } : { expected };
};

const backends: Reader<readonly string[]> = (value) => {
  const names = typeof value === 'string' ? [value] : value;
  const isList = Array.isArray(names) && names.every((name) => typeof name === 'string' && NAME.test(name));
  if (isList && names.length > 0 && names.length <= MOST_BACKENDS) return { value: names };
  return { expected: `the name of a backend, or a list of up to ${MOST_BACKENDS}; ${NAME_EXPECTED}` };
};

/** Version id to names of servers. */
const serversByVersion: Reader<Readonly<Record<string, readonly string[]>>> = (value) => {
  const expected = `a mapping such as { v1: [web01, web02] }: ids of versions, and ${NAME_EXPECTED}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { expected };
  const isGood = Object.entries(value).every(
    ([id, names]) =>
      VERSION_ID.test(id) &&
      Array.isArray(names) &&
      names.every((name) => typeof name === 'string' && NAME.test(name)),
  );
  return isGood ? { value: value as Record<string, string[]> } : { expected };
};

export const HAPROXY = mapping({
  sockets: z
    .array(field(runtimeAddress))
    .max(MOST_SOCKETS)
    .default([])
    .describe(
      'Runtime sockets (stats socket … level admin), one of each HAProxy process: paths, or host:port. Empty: only agent checks are answered.',
    ),
  backend: field(orNull(backends))
    .prefault(null)
    .describe("HAProxy's backend, or a list of them, whose servers are driven."),
  servers: field(orNull(serversByVersion))
    .prefault(null)
    .describe(
      'Whose servers they are, by name: { v1: [web01, web02] }. null: a server is of the version that has its address among its upstreams.',
    ),
  interval: field(duration(100, 60_000))
    .prefault('2s')
    .describe('Between two looks; a change is set at once.'),
  timeout: field(duration(50, 30_000)).prefault('1s').describe('Of one exchange with a socket.'),
  onDrift: field(oneOf(['repair', 'alarm']))
    .prefault('repair')
    .describe('What becomes of a state that somebody else changed: it is set back, or only told.'),
  weights: field(oneOf(['keep', 'share']))
    .prefault('keep')
    .describe(
      'share: where versions share a backend, their servers weigh what they get of new sessions, those of a draining one nothing.',
    ),
  agent: field(orNull(listenAddress))
    .prefault(null)
    .describe("Where HAProxy's agent checks are answered, such as 127.0.0.1:9091. null: nowhere."),
})
  .nullable()
  .default(null)
  .describe("Keeps the states of HAProxy's servers as the versions want them. null: HAProxy is left alone.");
