// Every upstream answer of test/corpus gets its verdict, sent whole and byte by byte; the client's side is read
// strictly, and afterwards three ordinary requests each get their own answer: nothing of a bad one is left in the pool.

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownResponseCases, type ResponseCase, responseCases, type Seen } from '../kit/corpus.ts';
import { expectOrdinaryService } from '../kit/ordinary-requests.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { sendThen } from '../kit/raw-upstream.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { type Message, type Reading, readAnswer, valuesOf } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';
import { RESPONSE_DIFFERENCES } from './differences.ts';
import { onEveryParser } from './engines.ts';
import { OWN_RESPONSE_DIFFERENCES } from './own-differences.ts';
import { type Scene, startScene } from './scene.ts';

const LONGEST_BYTE_BY_BYTE = 1_000;
const DIFFERENCES = { ...RESPONSE_DIFFERENCES, ...OWN_RESPONSE_DIFFERENCES };
const CASES = [...responseCases(), ...ownResponseCases()];

onEveryParser((engine) => {
  describe.each([{ way: 'whole' }, { way: 'byte by byte' }])('a bad upstream answer, $way', ({ way }) => {
    let recorder: RecordingUpstream;
    let gateway: Scene;
    beforeAll(async () => {
      recorder = await startRecordingUpstream((request, socket) => {
        const one = CASES.find(({ id }) => request.target === `/case/${id}`);
        if (one === undefined) return false;
        if (way === 'whole') sendThen(socket, one.bytes, one.after);
        else void trickle(socket, one);
        return true;
      });
      gateway = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
    });
    afterAll(async () => {
      await gateway?.stop();
      await recorder?.stop();
    });

    const cases = CASES.filter(({ bytes }) => way === 'whole' || bytes.length <= LONGEST_BYTE_BY_BYTE).map(
      (one) => ({
        ...one,
        want: (engine.name === 'wire' ? undefined : DIFFERENCES[one.id]?.verdict) ?? one.want,
      }),
    );
    test.each(cases)('$id: $desc gets $want', async (one) => {
      recorder.forget();
      const client = await rawClient(gateway);
      await client.send(`${one.method} /case/${one.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const { verdict, answer } = await judge(client, one.method).finally(() => client.close());

      expect(verdict).toBe(one.want);
      if (answer !== null) expectPassedOn(one, answer);
      expect(recorder.faults(), 'unsafe').toEqual([]);
      await expectOrdinaryService(gateway);
    });
  });
});

async function judge(
  client: RawClient,
  method: string,
): Promise<{ verdict: string; answer: Message | null }> {
  const reading = await waitFor(
    () => {
      const found = finalReading(client.received(), method, client.ended() === 'fin');
      return found.state !== 'incomplete' || client.ended() !== null ? found : null;
    },
    { what: 'an answer or the end of the connection', everyMs: 1 },
  );
  switch (reading.state) {
    case 'broken':
      return { verdict: `unsafe: ${reading.fault}`, answer: null };
    case 'incomplete':
      return { verdict: client.received().length === 0 ? 'none' : 'abort', answer: null };
    case 'complete': {
      const isOwn = valuesOf(reading.message, 'x-lockstep-error').length > 0;
      return isOwn
        ? { verdict: String(reading.message.status), answer: null }
        : { verdict: 'ok', answer: reading.message };
    }
    default:
      return reading satisfies never;
  }
}

/** The first answer that is no 1xx. */
function finalReading(bytes: Buffer, method: string, isEnded: boolean): Reading {
  let reading = readAnswer(bytes, 0, method, isEnded);
  while (reading.state === 'complete' && reading.message.status < 200 && reading.message.status !== 101) {
    reading = readAnswer(bytes, reading.end, method, isEnded);
  }
  return reading;
}

function expectPassedOn({ id, seen }: ResponseCase, answer: Message): void {
  // Twins matter to applications that read fields as variables; a client is none.
  expect(answer.leaks.filter((leak) => !leak.endsWith('(underscore twin)'))).toEqual([]);
  if (id.length > 3) {
    expectSeen(seen ?? {}, answer);
    return;
  }
  const hasBody = !['R24', 'R25', 'R26'].includes(id);
  expect(answer.body.toString()).toBe(hasBody ? 'abc' : '');
  for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'x-poison']) {
    expect(valuesOf(answer, name)).toEqual([]);
  }
  const cookies = valuesOf(answer, 'set-cookie').filter((cookie) => !cookie.startsWith('lockstep='));
  expect(cookies).toEqual(id === 'R37' ? ['a=1', 'b=2; Path=/'] : []);
}

/** Of an own case; what it does not say is as in most of them. */
function expectSeen(seen: Seen, answer: Message): void {
  const { body = 'abc', status = 200, field, has = [], absent = [] } = seen;
  expect(answer.status).toBe(status);
  expect(answer.body.toString('latin1')).toBe(body);
  if (field !== undefined) {
    const values = valuesOf(answer, field[0]).filter((value) => !value.startsWith('lockstep=1.v1~'));
    expect(values).toEqual(field.slice(1));
  }
  const names = [...answer.fields, ...answer.trailers].map(([name]) => name.toLowerCase());
  expect(has.filter((name) => !names.includes(name))).toEqual([]);
  expect(absent.filter((name) => names.includes(name))).toEqual([]);
  expect(valuesOf(answer, 'set-cookie').filter((cookie) => /evil|^lockstep=(?!1\.v1~)/.test(cookie))).toEqual(
    [],
  );
}

async function trickle(socket: Socket, { bytes, after }: ResponseCase): Promise<void> {
  for (let at = 0; at < bytes.length - 1 && socket.writable; at++) {
    socket.write(bytes.subarray(at, at + 1));
    await nextTurn();
  }
  if (socket.writable) sendThen(socket, bytes.subarray(Math.max(0, bytes.length - 1)), after);
}
