// Whatever a client sends, every octet that an upstream receives is a part of clean requests; and whatever an upstream
// answers, every octet that the client receives is a part of clean answers, the last of which may be cut, visibly. Judged by
// the strict reader of the kit, which shares no line with the engines. What is sent: the grammars of test/fuzz, their
// mutants, and plain noise; on one engine and one upstream for all, so that what one leaves behind shows at the next.

import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { ANSWERS } from '../fuzz/answer-grammar.ts';
import { inPieces } from '../fuzz/mutations.ts';
import { REQUESTS } from '../fuzz/request-grammar.ts';
import { expectOrdinaryService } from '../kit/ordinary-requests.ts';
import { rawClient } from '../kit/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { SEED } from '../kit/seed.ts';
import { readAnswer } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

const CONNECTIONS = 800;
const AT_ONCE = 8;
const NOISE = fc
  .array(
    fc.oneof(
      fc.constantFrom(...'\r\n :/HTP1.0Gx\0\xff'),
      fc.nat(255).map((c) => String.fromCharCode(c)),
    ),
    {
      minLength: 1,
      maxLength: 200,
    },
  )
  .map((octets) => octets.join(''));
const NOISES = fc.record({ text: NOISE, pieces: fc.constant([1_000_000]) });

interface Sent {
  readonly text: string;
  readonly pieces: readonly number[];
}

onEveryParser((engine) => {
  describe(`octets on the other side (seed ${SEED})`, { timeout: 240_000 }, () => {
    let recorder: RecordingUpstream | null = null;
    let gateway: Scene | null = null;
    afterEach(async () => {
      await gateway?.stop();
      await recorder?.stop();
    });

    test(`of ${CONNECTIONS} connections that clients made`, async () => {
      recorder = await startRecordingUpstream();
      gateway = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
      const sent = fc.sample(fc.oneof({ weight: 9, arbitrary: REQUESTS }, { weight: 1, arbitrary: NOISES }), {
        numRuns: CONNECTIONS,
        seed: SEED,
      });
      await inLanes(sent, (one) => sendRequests(gateway!, one));
      await waitFor(() => recorder!.unfinished() === 0, { what: 'cut requests to be given up' });
      expect(recorder.faults()).toEqual([]);
      expect(recorder.leaks()).toEqual([]);
      expect(recorder.requests().length).toBeGreaterThan(CONNECTIONS / 3);
      await expectOrdinaryService(gateway);
    });

    test(`of ${CONNECTIONS} answers that an upstream gave`, async () => {
      const answers = fc.sample(ANSWERS, { numRuns: CONNECTIONS, seed: SEED });
      recorder = await startRecordingUpstream(({ target }, socket) => {
        const given = answers[Number(/^\/answer\/(\d+)$/.exec(target)?.[1] ?? -1)];
        if (given === undefined) return false;
        for (const piece of inPieces(Buffer.from(given.text, 'latin1'), given.pieces)) socket.write(piece);
        socket.end();
        return true;
      });
      gateway = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
      let whole = 0;
      await inLanes([...answers.entries()], async ([n, { method, text }]) => {
        const fault = await faultOfAnswers(gateway!, `${method} /answer/${n}`, method);
        expect(fault === 'whole' ? null : fault, JSON.stringify(text)).toBeNull();
        if (fault === 'whole') whole++;
      });
      expect(whole).toBeGreaterThan(CONNECTIONS / 3);
      expect(recorder.faults()).toEqual([]);
      await expectOrdinaryService(gateway);
    });
  });
});

/** Some at once, so that their octets meet on the upstream's connections. */
async function inLanes<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const next = all.values();
  const lane = async (): Promise<void> => {
    for (const one of next) await run(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function sendRequests(gateway: Scene, { text, pieces }: Sent): Promise<void> {
  const client = await rawClient(gateway);
  for (const piece of inPieces(Buffer.from(text, 'latin1'), pieces.length > 3 ? pieces : [1_000_000])) {
    await client.send(piece);
  }
  client.halfClose();
  await client.waitForEnd(15_000).finally(() => client.close());
}

/** 'whole': one clean final answer and no more; null: it was cut; else what is wrong with the octets. */
async function faultOfAnswers(gateway: Scene, line: string, method: string): Promise<string | null> {
  const client = await rawClient(gateway);
  // One request, and the connection ends behind its answer: what follows that is nobody's.
  const body = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  await client.send(`${line} HTTP/1.1\r\nHost: localhost\r\n${body}Connection: close\r\n\r\n`);
  const end = await client.waitForEnd(15_000).finally(() => client.close());
  const bytes = client.received();
  for (let at = 0; at < bytes.length; ) {
    const reading = readAnswer(bytes, at, method, end === 'fin');
    if (reading.state === 'broken')
      return /bad status line "HTTP\/1.1 [6-9]/.test(reading.fault) ? null : reading.fault;
    if (reading.state === 'incomplete') return null;
    at = reading.end;
    const { status, leaks } = reading.message;
    const known = leaks.filter((leak) => !leak.endsWith('(underscore twin)'));
    if (known.length > 0) return `leaks ${known.join(', ')}`;
    if (status >= 200) return at === bytes.length ? 'whole' : 'octets behind an answer';
  }
  return null;
}
