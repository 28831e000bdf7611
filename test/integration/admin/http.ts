// Requests as they are on the wire: any Host, any header, and bytes that no client would send.

import { connect } from 'node:net';
import { type Dispatcher, request } from 'undici';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Parsed, null when it isn't JSON. */
  readonly json: Record<string, unknown> | null;
}

export interface AskOptions {
  readonly method?: Dispatcher.HttpMethod;
  readonly headers?: Record<string, string>;
  /** Sent as JSON unless it is a string. */
  readonly body?: unknown;
}

export async function ask(url: string, options: AskOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const isText = typeof body === 'string';
  const answer = await request(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? null : isText ? body : JSON.stringify(body),
  });
  const text = await answer.body.text();
  const isJson = text !== '' && /json/.test(String(answer.headers['content-type']));
  return { status: answer.statusCode, headers: answer.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** Writes bytes as they are, and answers everything that came back until the server closed. */
export function askRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let came = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      came += text;
    });
    socket.on('close', () => resolve(came));
    socket.on('error', reject);
  });
}
