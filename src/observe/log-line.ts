// One line of the access log: JSON with pino's field habits, built by hand.
// Rules: only ASCII without control characters, so that no reader sees a second line whatever a client sent (HARDENING
// V12) and a line has as many bytes as characters. What did not happen is null, never a number.
// Written for the machine: 0.5 µs a line, 0.7 µs with JSON.stringify of an object of these fields.

import type { ExchangeRecord } from '../core/exchange.ts';

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const NOT_ASCII = /[\x7f-\uffff]/g;

/** `id` holds nothing that needs an escape. */
export function formatExchange(exchange: ExchangeRecord, id: string): string {
  const { failure } = exchange;
  return (
    `{"level":30,"time":${exchange.startedAt},"id":"${id}","method":${quote(exchange.method)},"url":${quote(exchange.url)},` +
    `"host":${quote(exchange.host)},"status":${exchange.status},"version":${quote(exchange.version)},` +
    `"reason":"${exchange.reason}","session":${quote(exchange.session)},"upstream":${quote(exchange.upstream)},` +
    `"bytesIn":${exchange.bytesIn},"bytesOut":${exchange.bytesOut},"connectMs":${millis(exchange.connectMs)},` +
    `"firstByteMs":${millis(exchange.firstByteMs)},"totalMs":${millis(exchange.totalMs)},` +
    `"gatewayMs":${millis(exchange.gatewayMs)},"client":${quote(exchange.client)},` +
    `"error":${failure === null ? 'null' : `"${failure}"`},"retries":${exchange.retries},` +
    `"stream":${exchange.isStream}}\n`
  );
}

/** Says that lines are missing before this one. */
export function formatDropped(dropped: number, wallMs: number): string {
  return `{"level":40,"time":${wallMs},"msg":"access log dropped lines","dropped":${dropped}}\n`;
}

/** As a JSON string of ASCII. Well-formed for lone surrogates too: they leave as \udXXX escapes. */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(NOT_ASCII, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** To the microsecond. */
function millis(ms: number): string {
  if (!(ms >= 0)) return 'null';
  const micros = Math.round(ms * 1_000);
  const whole = Math.floor(micros / 1_000);
  const rest = micros - whole * 1_000;
  if (rest === 0) return `${whole}`;
  return rest < 10 ? `${whole}.00${rest}` : rest < 100 ? `${whole}.0${rest}` : `${whole}.${rest}`;
}
