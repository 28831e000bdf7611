// One line of the access log: JSON with pino's field habits, built by hand.
// Rules: only ASCII without control characters, so that no reader sees a second line whatever a client sent (HARDENING
// V12) and a line has as many bytes as characters. What did not happen is null, never a number.

import type { ExchangeRecord } from '../core/exchange.ts';
import type { LineBlock } from './line-block.ts';

/** Names, numbers and punctuation of a line, and what has a bound of its own. */
const FIXED = 1_200;
/** Of one character: \uXXXX. */
const LONGEST_ESCAPE = 6;

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
  const { failure } = exchange;
  line.text('{"level":30,"time":');
  line.integer(exchange.startedAt);
  line.text(',"id":"');
  line.text(id);
  line.text('","method":');
  line.quoted(exchange.method);
  line.text(',"url":');
  line.quoted(exchange.url);
  line.text(',"host":');
  line.quoted(exchange.host);
  line.text(',"status":');
  line.integer(exchange.status);
  line.text(',"version":');
  line.quoted(exchange.version);
  line.text(',"reason":"');
  line.text(exchange.reason);
  line.text('","session":');
  line.quoted(exchange.session);
  line.text(',"upstream":');
  line.quoted(exchange.upstream);
  line.text(',"bytesIn":');
  line.integer(exchange.bytesIn);
  line.text(',"bytesOut":');
  line.integer(exchange.bytesOut);
  line.text(',"connectMs":');
  line.millis(exchange.connectMs);
  line.text(',"firstByteMs":');
  line.millis(exchange.firstByteMs);
  line.text(',"totalMs":');
  line.millis(exchange.totalMs);
  line.text(',"gatewayMs":');
  line.millis(exchange.gatewayMs);
  line.text(',"client":');
  line.quoted(exchange.client);
  line.text(',"error":');
  if (failure === null) line.text('null');
  else line.quoted(failure);
  line.text(',"retries":');
  line.integer(exchange.retries);
  line.text(exchange.isStream ? ',"stream":true}\n' : ',"stream":false}\n');
}

/** Says that lines are missing before this one. */
export function writeDropped(line: LineBlock, dropped: number, wallMs: number): void {
  line.text('{"level":40,"time":');
  line.integer(wallMs);
  line.text(',"msg":"access log dropped lines","dropped":');
  line.integer(dropped);
  line.text('}\n');
}
