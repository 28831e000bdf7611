// Before a peer is measured it must do its job: each pin gets its version with the very bytes of it, a client without a
// pin gets the active version and a pin that works, and the upstream is told who asked.

import { request } from 'node:http';
import type { RunningPeer } from './peers/peer.ts';
import { FORWARDED_PATH, type Upstreams } from './upstreams.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly setCookie: readonly string[];
}

export interface Expected {
  readonly path: string;
  /** Of that version, to the byte. */
  readonly body: (version: string) => string;
}

/** Throws with what the peer did instead. */
export async function validate(peer: RunningPeer, upstreams: Upstreams, expected: Expected): Promise<void> {
  const { versions, active } = upstreams;
  for (const { id } of [...versions.slice(0, 3), ...versions.slice(-3)]) {
    for (const cookie of peer.pins(id, 3)) {
      const answer = await ask(peer.port, expected.path, { cookie });
      insist(isPage(answer, id), `a pin of ${id} gets ${told(answer)}`);
      insist(minted(answer, peer) === null, `a client with a pin of ${id} is given another`);
    }
  }
  const first = await ask(peer.port, expected.path);
  insist(isPage(first, active), `a new client gets ${told(first)}`);
  const pin = minted(first, peer);
  insist(pin !== null, 'a new client is given no pin');
  const second = await ask(peer.port, expected.path, { cookie: pin! });
  insist(isPage(second, active), `a minted pin gets ${told(second)}`);
  const forwarded = await ask(peer.port, FORWARDED_PATH, { cookie: pin! });
  insist(/(^|, ?)(::ffff:)?127\.0\.0\.1$/.test(forwarded.body), `X-Forwarded-For is "${forwarded.body}"`);

  function isPage(answer: Answer, version: string): boolean {
    return answer.status === 200 && answer.body === expected.body(version);
  }
}

export async function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  upload: { readonly method: string; readonly body: Buffer; readonly isChunked: boolean } | null = null,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const framing =
      upload === null || upload.isChunked ? {} : { 'content-length': String(upload.body.length) };
    const method = upload?.method ?? 'GET';
    const asked = request(
      { port, host: '127.0.0.1', path, method, agent: false, headers: { ...headers, ...framing } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            body: Buffer.concat(parts).toString('latin1'),
            setCookie: answer.headers['set-cookie'] ?? [],
          }),
        );
      },
    );
    asked.setTimeout(10_000, () => asked.destroy(new Error(`no answer to ${path} in 10 s`)));
    asked.once('error', reject);
    if (upload !== null) asked.write(upload.body);
    asked.end();
  });
}

/** `name=value` of the pin that the answer brings. */
function minted(answer: Answer, { cookieName }: RunningPeer): string | null {
  return answer.setCookie.find((one) => one.startsWith(`${cookieName}=`))?.split(';')[0] ?? null;
}

function told({ status, body }: Answer): string {
  return `${status} with ${body.length} bytes: "${body.slice(0, 20)}"`;
}

function insist(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
