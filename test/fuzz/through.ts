// Sends generated requests through the gateway to servers of others, and holds what those saw against what the gateway's
// own parser says that was sent: the same requests, as many of them, with the same method, target and body.

import { connect } from 'node:net';
import fc from 'fast-check';
import { readAnswer } from '../kit/strict-http.ts';
import { ORIGIN_DIFFERENCES } from './differences.ts';
import { inPieces } from './mutations.ts';
import type { Origin, SeenRequest } from './origins.ts';
import { type OurReading, ourRequests } from './our-requests.ts';
import { REQUESTS, type RequestCase } from './request-grammar.ts';

export interface ThroughOptions {
  readonly runs: number;
  readonly seed: number;
  onProgress?(done: number, compared: number): void;
}

export interface ThroughResult {
  /** Cases that were sent; the others have a class of their own in differences.ts. */
  readonly compared: number;
  /** Requests that every server saw. */
  readonly requests: number;
}

const AT_ONCE = 12;
const BATCH = 240;
const PATIENCE_MS = 10_000;
const WHOLE = [Number.MAX_SAFE_INTEGER];

/** Rejects with the smallest case found on which they part. */
export async function sendThrough(
  origins: readonly Origin[],
  { runs, seed, onProgress }: ThroughOptions,
): Promise<ThroughResult> {
  let [compared, requests, lanes] = [0, 0, 0];
  // A client address for each case: what a failed one left behind is not taken for the next one's.
  const newLane = (): string => `127.1.${(++lanes >> 8) & 255}.${lanes & 255}`;
  for (let done = 0; done < runs; done += BATCH) {
    const numRuns = Math.min(BATCH, runs - done);
    const sent = fc.sample(REQUESTS, { numRuns, seed: seed + done }).filter(isComparable);
    const next = sent.values();
    const faults = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const given of next) {
          const fault = await faultOf(origins, given, newLane());
          if (fault !== null) return fault;
        }
        return null;
      }),
    );
    if (faults.some((fault) => fault !== null)) await shrink(origins, numRuns, seed + done, newLane, faults);
    compared += sent.length;
    requests += sent.reduce((sum, given) => sum + expectedOf(read(given)).length, 0);
    onProgress?.(done + numRuns, compared);
  }
  return { compared, requests };
}

function read({ text }: RequestCase): OurReading {
  return ourRequests(Buffer.from(text, 'latin1'), WHOLE);
}

export function isComparable(given: RequestCase): boolean {
  return !read(given).messages.some((message) =>
    ORIGIN_DIFFERENCES.some(({ applies }) => applies(message, given.text)),
  );
}

/** The same cases one after the other, and smaller ones around the first that fails. */
async function shrink(
  origins: readonly Origin[],
  numRuns: number,
  seed: number,
  newLane: () => string,
  faults: readonly (string | null)[],
): Promise<never> {
  const property = fc.asyncProperty(REQUESTS, async (given) => {
    const fault = isComparable(given) ? await faultOf(origins, given, newLane()) : null;
    if (fault !== null) throw new Error(fault);
  });
  await fc.assert(property, { seed, numRuns, interruptAfterTimeLimit: 60_000 });
  throw new Error(`only when many are under way: ${faults.filter((fault) => fault !== null).join('\n')}`);
}

/** Where one of the servers saw something else; null when all agree. `lane` is a loopback address that nobody else uses. */
export async function faultOf(
  origins: readonly Origin[],
  given: RequestCase,
  lane: string,
): Promise<string | null> {
  const reading = read(given);
  const expected = JSON.stringify(expectedOf(reading));
  for (const origin of origins) {
    origin.takeSeen(lane);
    const failure = await send(origin, given, reading, lane);
    const seen = JSON.stringify(origin.takeSeen(lane));
    if (failure !== null || seen !== expected)
      return `${origin.name} saw ${seen}, not ${expected}${failure === null ? '' : `: ${failure}`}: ${JSON.stringify(given)}`;
  }
  return null;
}

function expectedOf({ messages }: OurReading): readonly SeenRequest[] {
  return messages
    .filter(({ isComplete }) => isComplete)
    .map(({ method, target, body }) => ({ method, target, body }));
}

/**
 * Sends the case and waits for what must come: an answer to each whole request, and after a refusal another one and the
 * end. Resolves with what was wrong with them.
 */
function send(
  origin: Origin,
  given: RequestCase,
  reading: OurReading,
  localAddress: string,
): Promise<string | null> {
  const methods = expectedOf(reading).map(({ method }) => method);
  // Refused in its body, it is answered as what it was; in its head, as nothing in particular.
  if (reading.refused !== null) methods.push(reading.messages[methods.length]?.method ?? 'GET');
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let at = 0;
    let answers = 0;
    const socket = connect({ host: origin.host, port: origin.port, localAddress, noDelay: true });
    const done = (failure: string | null): void => {
      clearTimeout(patience);
      socket.destroy();
      resolve(failure);
    };
    const patience = setTimeout(() => done(`${answers} of ${methods.length} answers in time`), PATIENCE_MS);
    /** Reads what there is of the next answers; what is wrong with them, or null. */
    const readAnswers = (hasEnded: boolean): string | null => {
      while (answers < methods.length) {
        const answer = readAnswer(received, at, methods[answers]!, hasEnded);
        if (answer.state === 'broken') return answer.fault;
        if (answer.state === 'incomplete') break;
        at = answer.end;
        const { status, startLine } = answer.message;
        if (status < 200) continue;
        const isRefusal = reading.refused !== null && answers === methods.length - 1;
        if ((status === 200) === isRefusal) return `answer ${answers}: ${startLine}`;
        answers++;
      }
      const hasAll = answers === methods.length;
      if (hasAll && received.length > at) return 'more answers than requests';
      return hasEnded && !hasAll ? `the end after ${answers} of ${methods.length} answers` : null;
    };
    const readOn = (hasEnded: boolean): void => {
      const fault = readAnswers(hasEnded);
      const hasAll = answers === methods.length && (reading.refused === null || hasEnded);
      if (fault !== null || hasAll) done(fault);
    };
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      readOn(false);
    });
    socket.on('end', () => readOn(true));
    socket.on('error', (error) => (answers === methods.length ? done(null) : done(error.message)));
    socket.on('connect', () => {
      for (const piece of inPieces(Buffer.from(given.text, 'latin1'), given.pieces)) socket.write(piece);
      if (methods.length === 0) done(null);
    });
  });
}
