import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeAnswer, judgeRequests } from '../../fuzz/agreement.ts';
import { ANSWER_DIFFERENCES, REQUEST_DIFFERENCES, targetAsOurs } from '../../fuzz/differences.ts';
import { nodeRequests } from '../../fuzz/node-reading.ts';
import { runDifferential } from '../../fuzz/properties.ts';
import { REQUESTS } from '../../fuzz/request-grammar.ts';
import { SEED } from '../../kit/seed.ts';

// What `npm run fuzz` does for long. LOCKSTEP_FUZZ_SEED repeats a run.
const WHOLE = [Number.MAX_SAFE_INTEGER];

describe(`whatever ours accepts, Node's parser accepts as the same (seed ${SEED})`, () => {
  it('20,000 generated connections of requests', { timeout: 120_000 }, () => {
    const { accepted } = runDifferential({ side: 'requests', runs: 20_000, seed: SEED });
    expect(accepted, 'most of the grammar is still valid').toBeGreaterThan(8_000);
    expect(accepted, 'and much of it is not').toBeLessThan(16_000);
  });

  it('20,000 generated answers', { timeout: 120_000 }, () => {
    const { accepted } = runDifferential({ side: 'answers', runs: 20_000, seed: SEED });
    expect(accepted).toBeGreaterThan(8_000);
    expect(accepted).toBeLessThan(18_000);
  });
});

describe('a difference on purpose is needed and explains its example', () => {
  it.each(REQUEST_DIFFERENCES)('request: $id', ({ id, example }) => {
    expect(judgeRequests(example, WHOLE)).toMatchObject({ fault: null, difference: id });
  });
  it.each(ANSWER_DIFFERENCES)('answer: $id', ({ id, example }) => {
    expect(judgeAnswer(example, 'GET', WHOLE)).toMatchObject({ fault: null, difference: id });
  });
  it.each([
    ['http://a/b?c', '/b?c'],
    ['HTTPS://a', '/'],
    ['http://a?b', '/?b'],
    ['/http://a/', '/http://a/'],
    ['*', '*'],
  ])('target: %s', (given, want) => {
    expect(targetAsOurs(given, 'GET')).toBe(want);
  });
  it('target of OPTIONS for the whole server', () => {
    expect(targetAsOurs('http://a', 'OPTIONS')).toBe('*');
    expect(targetAsOurs('http://a/', 'OPTIONS')).toBe('/');
  });
});

// The parser is reached by an internal name: this is what shows that it is still the one that servers use.
describe("Node's parser, used alone,", () => {
  it('says what a node:http server on an in-memory stream says', { timeout: 60_000 }, async () => {
    const cases = fc.sample(REQUESTS, { numRuns: 1_000, seed: SEED });
    let requests = 0;
    for (const { text } of cases) {
      const bytes = Buffer.from(text, 'latin1');
      const seen = await servedBy(bytes);
      const alone = nodeRequests(bytes).messages.filter(({ isComplete }) => isComplete);
      requests += seen.length;
      expect(seen, JSON.stringify(text)).toEqual(
        alone.slice(0, seen.length).map(({ method, target, body }) => ({ method, target, body })),
      );
    }
    expect(requests).toBeGreaterThan(300);
  });
});

/** The requests that a server reads whole, until it ends the connection. */
async function servedBy(bytes: Buffer): Promise<{ method: string; target: string; body: string }[]> {
  const seen: { method: string; target: string; body: string }[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString('latin1');
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', target: request.url ?? '', body });
      response.end();
    });
  };
  const server = createServer({ requireHostHeader: false }, answer);
  server.on('checkExpectation', answer);
  server.on('clientError', (_error, socket) => socket.destroy());
  const stream = new Duplex({ read: () => {}, write: (_part, _encoding, done) => done() });
  server.emit('connection', stream);
  stream.push(bytes);
  stream.push(null);
  await new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
  stream.destroy();
  return seen;
}
