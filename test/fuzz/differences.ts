// Where our parser accepts what Node's does not, or reads it otherwise, on purpose: each class with its reason and an
// example that a test runs. Anything that no class here explains is a defect of ours.

import { METHODS } from 'node:http';
import type { ReadMessage } from './readings.ts';

export interface Difference {
  readonly id: string;
  readonly reason: string;
  /** Whether it is the one why Node refused the message, of which `raw` are the octets. */
  explains(message: ReadMessage, raw: string, refusal: string): boolean;
  /** Ours accepts it, Node's does not. */
  readonly example: string;
}

const FRAMING_TRAILER = /\r\n(?:content-length|transfer-encoding):[^\r]*\r\n(?:[^\r]*\r\n)*$/i;
const IS_FRAMING_REFUSAL = /^HPE_(INVALID|UNEXPECTED)_(CONTENT_LENGTH|TRANSFER_ENCODING)|^stopped/;

const FRAMING_TRAILERS = {
  id: 'framing-trailer',
  reason:
    'A trailer that names framing is dropped here and never passed on (RFC 9110 §6.5.1); Node refuses the whole body.',
  explains: (_message: ReadMessage, raw: string, refusal: string) =>
    IS_FRAMING_REFUSAL.test(refusal) && FRAMING_TRAILER.test(raw),
};

const TAB_AFTER_CHUNKED = {
  id: 'tab-after-chunked',
  reason:
    'White space behind a value may be a tab (RFC 9110 §5.6.3); Node forgives only spaces there. The coding goes on as `chunked`.',
  explains: (_message: ReadMessage, raw: string) => /\r\ntransfer-encoding:[ \t]*chunked *\t/i.test(raw),
};

export const REQUEST_DIFFERENCES: readonly Difference[] = [
  {
    id: 'unregistered-method',
    reason:
      'Any token is a method (RFC 9110 §9.1), and the application decides; Node knows a list. Names compare with case.',
    explains: (message, _raw, refusal) =>
      refusal.startsWith('HPE_INVALID_METHOD') && !METHODS.includes(message.method),
    example: 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    id: 'other-protocols-method',
    reason:
      'Node takes the methods of RTSP for RTSP only and PRI for HTTP/2 only; here they are tokens like any other.',
    explains: (message, _raw, refusal) =>
      !METHODS.includes(message.method) &&
      (refusal === 'HPE_INVALID_CONSTANT: Invalid method for HTTP/x.x request' ||
        refusal === 'HPE_INVALID_VERSION: Expected HTTP/2 Connection Preface'),
    example: 'DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    ...TAB_AFTER_CHUNKED,
    example: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n1\r\na\r\n0\r\n\r\n',
  },
  {
    id: 'close-in-trailer',
    reason: 'A trailer that speaks of the connection is dropped unread (RFC 9110 §6.5.1); Node obeys it.',
    explains: (_message, raw, refusal) =>
      refusal.startsWith('HPE_CLOSED_CONNECTION') && /\r\nconnection:[^\r]*\r\n(?:[^\r]*\r\n)*$/i.test(raw),
    example:
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    id: 'proxy-connection',
    reason:
      "`Proxy-Connection` is no standard's (RFC 9112 appendix C.2.2) and is dropped unread; Node obeys its `close`.",
    explains: ({ fields }, _raw, refusal) =>
      (refusal === '' || refusal.startsWith('HPE_CLOSED_CONNECTION')) &&
      fields.some(([name, value]) => /^proxy-connection$/i.test(name) && /close/i.test(value)),
    example: 'GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n',
  },
  {
    id: 'higher-minor-version',
    reason: 'HTTP/1.2 to 1.9 are read as 1.1 (RFC 9110 §2.5) and passed on as 1.1; Node refuses them.',
    explains: (_message, raw, refusal) =>
      refusal.startsWith('HPE_INVALID_VERSION') && / HTTP\/1\.[2-9]\r\n/.test(raw),
    example: 'GET / HTTP/1.2\r\nHost: a\r\n\r\n',
  },
  {
    ...FRAMING_TRAILERS,
    example:
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n',
  },
];

export const ANSWER_DIFFERENCES: readonly Difference[] = [
  {
    id: 'higher-minor-version',
    reason: 'As for requests.',
    explains: (_message, raw, refusal) =>
      refusal.startsWith('HPE_INVALID_VERSION') && /^HTTP\/1\.[2-9] /.test(raw),
    example: 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  {
    id: 'space-before-colon',
    reason:
      'A proxy removes it from answers (RFC 9112 §5.1), where it refuses it in requests; Node refuses both.',
    explains: (_message, raw, refusal) =>
      refusal.startsWith('HPE_INVALID_HEADER_TOKEN') && /\r\n[^\s:]+[ \t]+:/.test(raw),
    example: 'HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n',
  },
  {
    id: 'close-in-interim',
    reason:
      '`Connection: close` in an interim answer does not end the exchange before its final one; for Node it does.',
    explains: (_message, _raw, refusal) => refusal.startsWith('HPE_CLOSED_CONNECTION'),
    example: 'HTTP/1.1 103 x\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  {
    ...TAB_AFTER_CHUNKED,
    example: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n1\r\na\r\n0\r\n\r\n',
  },
  {
    ...FRAMING_TRAILERS,
    example: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n',
  },
];

/**
 * Absolute-form targets are reduced to origin-form, whose authority is Host's (RFC 9112 §3.2.2): what Node shows as it
 * came is here without scheme and authority.
 */
export function targetAsOurs(target: string, method: string): string {
  const rest = /^https?:\/\/[^/?]*(.*)$/i.exec(target)?.[1];
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest === undefined ? target : rest.startsWith('/') ? rest : `/${rest}`;
}

/** What only the servers behind the gateway refuse, or may refuse; such cases are left out of that comparison. */
export interface OriginDifference {
  readonly id: string;
  readonly reason: string;
  applies(message: ReadMessage, raw: string): boolean;
  /** One of the servers parts from the others here. */
  readonly example: string;
}

const SINGLE = new Set([
  ...[
    'if-none-match',
    'if-match',
    'if-range',
    'range',
    'content-type',
    'authorization',
    'user-agent',
    'expect',
    'date',
  ],
  ...['if-modified-since', 'if-unmodified-since', 'upgrade', 'keep-alive', 'te', 'content-encoding'],
]);

export const ORIGIN_DIFFERENCES: readonly OriginDifference[] = [
  {
    id: 'unregistered-method',
    reason: 'node:http and nginx refuse methods that they do not know, or that are not in capitals.',
    applies: ({ method }) => !METHODS.includes(method),
    example: 'get / HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    id: 'path-that-nginx-decodes',
    reason:
      'nginx decodes the path to find its location, and refuses %00, broken escapes and ways out of the root.',
    applies: ({ target }) => /%(?![0-9a-f]{2})|%00|\.\.|\/\./i.test(target),
    example: 'GET /../%zz HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    id: 'repeated-single-field',
    reason: 'A field that has one value only and comes twice passes as it came; nginx refuses many of these.',
    applies: ({ fields }) => {
      const names = fields.map(([name]) => name.toLowerCase()).filter((name) => SINGLE.has(name));
      return new Set(names).size < names.length;
    },
    example: 'GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: 1\r\nIf-None-Match: 2\r\n\r\n',
  },
  {
    id: 'long-field-name',
    reason:
      'HAProxy refuses names of more than 255 octets (CVE-2021-40346); for us they count as part of the head.',
    applies: ({ fields }) => fields.some(([name]) => name.length > 200),
    example: `GET / HTTP/1.1\r\nHost: a\r\n${'N'.repeat(300)}: 1\r\n\r\n`,
  },
  {
    id: 'loop-guard',
    reason:
      'What counts the gateways that a request went through is for gateways to say; eight of them are a circle, and a 508.',
    applies: ({ fields }) => fields.some(([name]) => name.toLowerCase() === 'x-lockstep-hops'),
    example: 'GET / HTTP/1.1\r\nHost: a\r\nx-lockstep-hops: 192\r\n\r\n',
  },
  {
    id: 'host-with-empty-label',
    reason: 'Two dots in a row are a reg-name (RFC 3986 §3.2.2) and no name of DNS; nginx refuses them.',
    applies: (_message, raw) => /\r\nhost:[^\r]*\.\./i.test(raw),
    example: 'GET / HTTP/1.1\r\nHost: a..b\r\n\r\n',
  },
  {
    id: 'near-a-servers-limit',
    reason: "HAProxy's buffer is 16 KiB and it takes 100 fields; the gateway adds some of its own.",
    applies: ({ target, fields }) => target.length + fields.join('').length > 8_000 || fields.length > 60,
    example: `GET /${'p'.repeat(8_100)} HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(98)}\r\n`,
  },
  {
    id: 'asterisk-form',
    reason: 'OPTIONS for the whole server (RFC 9112 §3.2.4) is nothing to nginx.',
    applies: ({ target }) => target === '*',
    example: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  },
  {
    id: 'another-protocol',
    reason: 'Whether HTTP goes on behind a WebSocket handshake is for the server to say; no parser knows.',
    applies: ({ isSwitch }) => isSwitch,
    example:
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  },
];
