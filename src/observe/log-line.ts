// One line of the access log: JSON with pino's field habits, built by hand.
// Rules: only ASCII without control characters, so that no reader sees a second line whatever a client sent (HARDENING
// V12) and a line has as many bytes as characters. What did not happen is null, never a number.

import type { ExchangeRecord } from '../core/exchange.ts';
import { type LineBlock, octetsOf } from './line-block.ts';

/** Names, numbers and punctuation of a line, and what has a bound of its own. */
const FIXED = 1_300;
/** Of one character: \uXXXX. */
const LONGEST_ESCAPE = 6;

// What stands between the values.
const TIME = octetsOf('{"level":30,"time":');
const ID = octetsOf(',"id":"');
const METHOD = octetsOf('","method":');
const URL = octetsOf(',"url":');
const HOST = octetsOf(',"host":');
const STATUS = octetsOf(',"status":');
const VERSION = octetsOf(',"version":');
const REASON = octetsOf(',"reason":"');
const SESSION = octetsOf('","session":');
const UPSTREAM = octetsOf(',"upstream":');
const BYTES_IN = octetsOf(',"bytesIn":');
const BYTES_OUT = octetsOf(',"bytesOut":');
const CONNECT_MS = octetsOf(',"connectMs":');
const FIRST_BYTE_MS = octetsOf(',"firstByteMs":');
const TOTAL_MS = octetsOf(',"totalMs":');
const GATEWAY_MS = octetsOf(',"gatewayMs":');
const CLIENT = octetsOf(',"client":');
const ERROR = octetsOf(',"error":');
const RETRIES = octetsOf(',"retries":');
const NULL = octetsOf('null');
const STREAM = octetsOf(',"stream":true}\n');
const NO_STREAM = octetsOf(',"stream":false}\n');

/** No line of this exchange is longer. */
export function longestLine({
  method,
  url,
  host,
  session,
  upstream,
  version,
  client,
}: ExchangeRecord): number {
  const characters =
    method.length +
    url.length +
    host.length +
    session.length +
    upstream.length +
    version.length +
    client.length;
  return FIXED + LONGEST_ESCAPE * characters;
}

/** `id` holds nothing that needs an escape. */
export function writeExchange(line: LineBlock, exchange: ExchangeRecord, id: string): void {
  const { failure, page } = exchange;
  line.constant(TIME);
  line.integer(exchange.startedAt);
  line.constant(ID);
  line.text(id);
  line.constant(METHOD);
  line.quoted(exchange.method);
  line.constant(URL);
  line.quoted(exchange.url);
  line.constant(HOST);
  line.quoted(exchange.host);
  line.constant(STATUS);
  line.integer(exchange.status);
  line.constant(VERSION);
  line.quoted(exchange.version);
  line.constant(REASON);
  line.text(exchange.reason);
  line.constant(SESSION);
  line.quoted(exchange.session);
  line.constant(UPSTREAM);
  line.quoted(exchange.upstream);
  line.constant(BYTES_IN);
  line.integer(exchange.bytesIn);
  line.constant(BYTES_OUT);
  line.integer(exchange.bytesOut);
  line.constant(CONNECT_MS);
  line.millis(exchange.connectMs);
  line.constant(FIRST_BYTE_MS);
  line.millis(exchange.firstByteMs);
  line.constant(TOTAL_MS);
  line.millis(exchange.totalMs);
  line.constant(GATEWAY_MS);
  line.millis(exchange.gatewayMs);
  line.constant(CLIENT);
  line.quoted(exchange.client);
  line.constant(ERROR);
  if (failure === null) line.constant(NULL);
  else line.quoted(failure);
  line.constant(RETRIES);
  line.integer(exchange.retries);
  if (page !== undefined && page !== '') {
    line.text(',"page":');
    line.quoted(page);
  }
  line.constant(exchange.isStream ? STREAM : NO_STREAM);
}

/** Says that lines are missing before this one. */
export function writeDropped(line: LineBlock, dropped: number, wallMs: number): void {
  line.text('{"level":40,"time":');
  line.integer(wallMs);
  line.text(',"msg":"access log dropped lines","dropped":');
  line.integer(dropped);
  line.text('}\n');
}
