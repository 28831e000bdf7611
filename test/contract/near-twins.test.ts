// Heads that are nearly the same, one after the other on one connection: an ordinary head, the same with one octet changed,
// the ordinary one again. Whatever an engine keeps of heads that it has seen, each is judged and passed on as what it is
// itself: what a strict reader of its own refuses reaches no upstream, and what arrives there has the method, the target and
// the end-to-end fields that were sent, to the octet and in order.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { SEED } from '../kit/seed.ts';
import { type Field, type Message, readRequest, valuesOf } from '../kit/strict-http.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

const ORDINARY = [
  'GET /account/orders?page=2&sort=asc HTTP/1.1',
  'Host: shop.example:8080',
  'Connection: keep-alive, X-Hop',
  'X-Hop: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101',
  'Accept: text/html,application/xhtml+xml;q=0.9',
  'Accept-Encoding: gzip, br',
  'Content-Length: 0',
  'Sec-Fetch-Dest: document',
  'Cookie: a=b; theme=dark',
  'X-Forwarded-For: 198.51.100.7',
  'X-Forwarded-Prefix: /x',
  'X-Last: z',
  '',
  '',
].join('\r\n');
/** In place of each octet, one of these: delimiters, controls, letters, and what only looks like one of them. */
const OCTETS = [...'\r\n\t\0 :;,=/_-.0Aax\x0b\x7f\x85\xa0\xff'];

onEveryParser((engine) => {
  describe(`heads with one octet changed (seed ${SEED})`, () => {
    let recorder: RecordingUpstream;
    let gateway: Scene;
    beforeAll(async () => {
      recorder = await startRecordingUpstream();
      gateway = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
    });
    afterAll(async () => {
      await gateway?.stop();
      await recorder?.stop();
    });

    test.each([
      { name: 'replaced', edit: (at: number, octet: string) => splice(at, 1, octet) },
      { name: 'put in', edit: (at: number, octet: string) => splice(at, 0, octet) },
      { name: 'taken out', edit: (at: number) => splice(at, 1, '') },
    ])('an octet $name', { timeout: 240_000 }, async ({ edit }) => {
      const random = randomFrom(SEED);
      let client: RawClient | null = null;
      let accepted = 0;
      for (let at = 0; at < ORDINARY.length; at++) {
        const variant = edit(at, OCTETS[Math.floor(random() * OCTETS.length)]!);
        client ??= await rawClient(gateway, { isPrompt: true });
        expect(await pass(client, ORDINARY, recorder)).toEqual(endToEnd(ORDINARY));
        const seen = await pass(client, variant, recorder);
        if (seen === null) {
          client.close();
          client = null;
          continue;
        }
        accepted++;
        expect(seen, JSON.stringify(variant)).toEqual(endToEnd(leniently(variant, engine.name)));
        if (isOfHttp10(variant)) {
          client.close();
          client = null;
        }
      }
      client?.close();
      expect(recorder.faults()).toEqual([]);
      expect(accepted, 'many are still requests').toBeGreaterThan(ORDINARY.length / 4);
    });
  });
}, 'beside each other');

/** One octet away, and the last one of its connection. */
function isOfHttp10(head: string): boolean {
  return head.trimStart().split('\r\n')[0]!.endsWith('HTTP/1.0');
}

interface Passed {
  readonly line: string;
  readonly fields: readonly Field[];
}

/** What the upstream saw of it; null when it was refused, and then nothing of it may have arrived. */
async function pass(client: RawClient, head: string, recorder: RecordingUpstream): Promise<Passed | null> {
  recorder.forget();
  await client.send(head);
  if (!head.endsWith('\r\n\r\n')) client.halfClose(); // the octet was one of its end
  const answer = await client.finalAnswer('GET').catch(() => null);
  if (answer === null || valuesOf(answer, 'x-lockstep-error').length > 0) {
    await client.waitForEnd();
    expect(recorder.requests(), JSON.stringify(head)).toEqual([]);
    return null;
  }
  const requests = recorder.requests();
  expect(requests).toHaveLength(1);
  return told(requests[0]!);
}

const ADDED = /^(x-forwarded-(for|proto|host)|x-lockstep-(version|session|hops)|connection)$/i;

function told({ method, target, fields }: Message): Passed {
  return { line: `${method} ${target}`, fields: sorted(fields.filter(([name]) => !ADDED.test(name))) };
}

const DROPPED =
  /^(connection|keep-alive|proxy|proxy-connection|te|upgrade|expect|http2-settings|forwarded|x-real-ip|x-forwarded-.*|x-lockstep-.*)$/i;

/** The same of what was sent, by a reader that shares no line with the engines. */
function endToEnd(head: string): Passed {
  const reading = readRequest(Buffer.from(head, 'latin1'));
  if (reading.state !== 'complete') throw new Error(`passed on, and no request: ${JSON.stringify(head)}`);
  const { message } = reading;
  const nominated = valuesOf(message, 'connection').flatMap((value) =>
    value.split(',').map((option) => option.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase()),
  );
  const kept = message.fields.filter(([name]) => {
    const lower = name.toLowerCase();
    return !DROPPED.test(lower.replace(/[_.]/g, '-')) && !isNominated(nominated, lower) && !isTwin(lower);
  });
  return { line: `${message.method} ${message.target}`, fields: sorted(kept) };
}

/**
 * What may stand before a request line: empty lines. llhttp skips any CR and LF there, and takes several spaces around the
 * target (corpus D09); one goes on.
 */
function leniently(head: string, engine: 'wire' | 'http-proxy'): string {
  if (engine === 'wire') return head.replace(/^(\r\n)+/, '');
  return head.replace(/^[\r\n]+/, '').replace(/^(\S+) +(\S+) +(HTTP)/, '$1 $2 $3');
}

/** Those of the ordinary head that may be: the others route or frame. */
function isNominated(nominated: readonly string[], name: string): boolean {
  return nominated.includes(name) && !/^(host|content-length|cookie|sec-fetch-dest)$/.test(name);
}

const KNOWN = /^(user-agent|accept-encoding|content-length|sec-fetch-dest)$/;

function isTwin(name: string): boolean {
  return (
    /[_.]/.test(name) &&
    KNOWN.test(name.replace(/[_.]/g, '-')) &&
    name.replace(/[_.]/g, '-') !== 'accept-encoding'
  );
}

/** Lengths are written anew, at another place; the order of all others is kept. */
function sorted(fields: readonly Field[]): readonly Field[] {
  const isLength = ([name]: Field): boolean => name.toLowerCase() === 'content-length';
  return [
    ...fields.filter((field) => !isLength(field)),
    ...fields.filter(isLength).map(([, value]): Field => ['Content-Length', value]),
  ];
}

function splice(at: number, length: number, text: string): string {
  return ORDINARY.slice(0, at) + text + ORDINARY.slice(at + length);
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
