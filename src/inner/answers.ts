// How the inner upstream answers in JSON: what it says is of the moment, so nothing of it is kept by anybody.

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

// Not imported: see test/unit/start.test.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export function sendJson(answer: ServerResponse, body: object, headers: OutgoingHttpHeaders = {}): void {
  send(answer, 200, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(body));
}

/** RFC 9457, as the data plane writes its own. */
export function sendProblem(
  answer: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code };
  send(answer, status, { 'Content-Type': 'application/problem+json', ...headers }, JSON.stringify(body));
}

function send(answer: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string): void {
  answer.writeHead(status, {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  answer.end(body);
}
