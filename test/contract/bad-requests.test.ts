// Every request of test/corpus gets its verdict, alone, behind a valid pipelined request, and byte by byte (T13); and
// whatever the verdict is, the six oracles of test/corpus/README.md hold, judged by a strict reader of its own.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownRequestCases, type RequestCase, requestCases, type Seen } from '../kit/corpus.ts';
import { expectOrdinaryService } from '../kit/ordinary-requests.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { RECORDER_FIELD, type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { type Message, valuesOf } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';
import { REQUEST_DIFFERENCES } from './differences.ts';
import { onEveryParser } from './engines.ts';
import { OWN_REQUEST_DIFFERENCES } from './own-differences.ts';
import { type Scene, startScene } from './scene.ts';

type Way = 'alone' | 'behind a valid request' | 'T13: byte by byte';

const FIRST = 'GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n';
/** Writes of one byte are for parsers' states; the long cases are long by repetition. */
const LONGEST_BYTE_BY_BYTE = 1_000;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** What the upstream must have seen of cases of the fixed set whose point is that something arrives unchanged. */
const SEEN: Readonly<Record<string, Seen>> = {
  B25: { body: 'hello' },
  B26: { body: SMUGGLED },
  B32: { body: SMUGGLED },
  B35: { body: SMUGGLED },
  B37: { body: SMUGGLED },
  C14: { body: 'hello' },
  C19: { body: 'hello' },
  D32: { target: '//evil.example/x' },
  E19: { field: ['X', '\xe9\xff'] },
  E26: { field: ['Cookie', ';;;=;=x;,;'] },
  E33: { body: SMUGGLED },
  E48: { body: 'hello', field: ['Content-Encoding', 'gzip'] },
};

const DIFFERENCES = { ...REQUEST_DIFFERENCES, ...OWN_REQUEST_DIFFERENCES };

const WAYS: readonly { way: Way }[] = [
  { way: 'alone' },
  { way: 'behind a valid request' },
  { way: 'T13: byte by byte' },
];

onEveryParser((engine) => {
  describe.each(WAYS)('a bad request, $way', ({ way }) => {
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

    const cases = [...requestCases(), ...ownRequestCases()]
      .filter(({ bytes }) => way !== 'T13: byte by byte' || bytes.length <= LONGEST_BYTE_BY_BYTE)
      .map((one) => {
        const difference = engine.name === 'wire' ? undefined : DIFFERENCES[one.id];
        return {
          ...one,
          want: difference?.verdict ?? one.want,
          seen: difference?.mayRewrite ? null : one.seen,
        };
      });
    test.each(cases)('$id: $desc gets $want', async (one) => {
      recorder.forget();
      const client = await rawClient(gateway, { isPrompt: true });
      const answers = await exchange(client, one, way).finally(() => client.close());
      const requests = recorder.requests().filter(({ target }) => target !== '/first');
      const ofUpstream = answers.filter(isOfUpstream);
      const refusals = answers.filter((answer) => !isOfUpstream(answer));

      expect(recorder.faults(), 'unsafe').toEqual([]);
      expect(requests.length, 'count').toBeLessThanOrEqual(requestsIn(one.want));
      expect(ofUpstream.length, 'lost').toBe(requests.length);
      expect(recorder.leaks(), 'leak').toEqual([]);
      expect(verdictOf(requests, refusals)).toBe(one.want);
      for (const refusal of refusals) expect(valuesOf(refusal, 'x-lockstep-error')).toHaveLength(1);
      if (requests.length > 0) expectSeen(one, requests[0]!);
      for (const answer of answers) expect(JSON.stringify(answer.fields)).not.toMatch(/\xff|x=1|%0d/);
      await waitFor(() => recorder.unfinished() === 0, {
        what: 'the upstream request to be finished or aborted',
        everyMs: 2,
      });
      await expectOrdinaryService(gateway);
    });
  });
}, 'beside each other');

/** Final answers, until the gateway has ended the connection: by itself after a refusal, else after our half-close. */
async function exchange(client: RawClient, one: RequestCase, way: Way): Promise<readonly Message[]> {
  if (way === 'T13: byte by byte') await client.sendByteByByte(one.bytes);
  else await client.send(way === 'alone' ? one.bytes : Buffer.concat([Buffer.from(FIRST), one.bytes]));
  if (one.half) client.halfClose();
  if (way === 'behind a valid request') {
    const first = await client.finalAnswer();
    expect(first.body.toString(), 'the request before is answered').toContain('"/first"');
  }
  const answers: Message[] = [];
  const method = one.bytes.toString('latin1', 0, 5) === 'HEAD ' ? 'HEAD' : 'GET';
  for (;;) {
    await waitFor(() => client.rest().length > 0 || client.ended() !== null, {
      what: 'an answer or the end of the connection',
      timeoutMs: 5_000,
      sooner: client.happens,
    });
    if (client.rest().length === 0) return answers;
    const answer = await client.finalAnswer(answers.length === 0 ? method : 'GET');
    answers.push(answer);
    if (isOfUpstream(answer)) client.halfClose();
    else await client.waitForEnd(3_000); // noclose: a refusal ends the connection without our help
  }
}

function verdictOf(requests: readonly Message[], refusals: readonly Message[]): string {
  if (requests.length > 0) return `fwd${requests.length}`;
  return refusals.length > 0 ? String(refusals[0]!.status) : 'close';
}

function isOfUpstream(answer: Message): boolean {
  return valuesOf(answer, RECORDER_FIELD).length > 0;
}

/** How many requests a case is, when it is not refused: of a refused one nothing may arrive twice either. */
function requestsIn(want: string): number {
  return want.startsWith('fwd') ? Number(want.slice(3)) : 1;
}

function expectSeen(one: RequestCase, request: Message): void {
  const { body, target, field, absent = [] } = one.seen ?? SEEN[one.id] ?? {};
  if (body !== undefined) expect(request.body.toString('latin1')).toBe(body);
  if (target !== undefined) expect(request.target).toBe(target);
  if (field !== undefined) expect(valuesOf(request, field[0])).toEqual(field.slice(1));
  const names = [...request.fields, ...request.trailers].map(([name]) => name.toLowerCase());
  expect(absent.filter((name) => names.includes(name))).toEqual([]);
}
