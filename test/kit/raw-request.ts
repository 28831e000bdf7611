// One request whose header lines are exactly these, on a connection of its own, and its answer, read strictly.

import { type Address, rawClient } from './raw-client.ts';
import { type Message, valuesOf } from './strict-http.ts';

/** `lines` come after Host, in order; a body gets its Content-Length. */
export async function rawRequest(
  to: Address,
  lines: readonly string[],
  { method = 'GET', target = '/', body = '' } = {},
): Promise<Message> {
  const client = await rawClient(to);
  const head = [`${method} ${target} HTTP/1.1`, 'Host: shop.example', ...lines];
  if (body !== '') head.push(`Content-Length: ${Buffer.byteLength(body)}`);
  try {
    await client.send(`${head.join('\r\n')}\r\n\r\n${body}`);
    return await client.finalAnswer(method);
  } finally {
    client.close();
  }
}

/** The one value of a field, '' when it is not there; several are an error. */
export function onlyValue(message: Message, name: string): string {
  const values = valuesOf(message, name);
  if (values.length > 1) throw new Error(`${values.length} ${name} fields`);
  return values[0] ?? '';
}

/** The pins that an answer sends, without those it takes away. */
export function pinsSent(message: Message, name = 'lockstep'): readonly string[] {
  return valuesOf(message, 'set-cookie').filter(
    (cookie) => cookie.startsWith(`${name}=`) && !/;\s*Max-Age=0/i.test(cookie),
  );
}

/** Fields of a browser's top-level navigation. */
export const NAVIGATION: readonly string[] = [
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: none',
  'Accept: text/html',
];
