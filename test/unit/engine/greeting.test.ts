import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WrongVersion } from '../../../src/core/fault.ts';
import type { TableUpstream } from '../../../src/core/table.ts';
import { GreetedServers } from '../../../src/engine/greeted.ts';
import { type Greeted, Greeting, type GreetingSettings } from '../../../src/engine/greeting.ts';

const header: GreetingSettings = {
  source: { from: 'header', header: 'x-app-version' },
  healthPath: '/healthz',
};
const json: GreetingSettings = {
  source: { from: 'json', members: ['version'], path: '/healthz' },
  healthPath: null,
};
const text: GreetingSettings = { source: { from: 'text', path: '/version' }, healthPath: '/healthz' };

const upstream: TableUpstream = {
  address: 'web01:8080',
  host: 'web01',
  port: 8080,
  slot: 5,
  enabled: true,
  mustSay: 'v1',
  tag: '',
};

/** The answer in pieces; `isClosed`: and then the end. */
function greeted(settings: GreetingSettings, pieces: readonly string[], isClosed = false): Greeted | null {
  const greeting = new Greeting(settings, 'web01:8080');
  for (const piece of pieces) {
    const found = greeting.take(Buffer.from(piece, 'latin1'));
    if (found !== null) return found;
  }
  return isClosed ? greeting.take(Buffer.alloc(0), true) : null;
}

const said = (version: string, keepsAlive = true): Greeted => ({ is: 'said', version, keepsAlive });

describe('the answer to a greeting', () => {
  it.each<[string, GreetingSettings, string, Greeted]>([
    ['a header', header, 'HTTP/1.1 200 OK\r\nX-App-Version: v1\r\nContent-Length: 2\r\n\r\nok', said('v1')],
    ['a header without a body', header, 'HTTP/1.1 204 No Content\r\nx-app-version: v1\r\n\r\n', said('v1')],
    [
      'a header of a failure',
      header,
      'HTTP/1.1 503 Not yet\r\nx-app-version: v1\r\ncontent-length: 0\r\n\r\n',
      said('v1'),
    ],
    [
      'a header after an interim answer',
      header,
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nx-app-version: v1\r\ncontent-length: 0\r\n\r\n',
      said('v1'),
    ],
    ['nothing', header, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', said('')],
    [
      'a document in chunks',
      json,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{"version":"\r\n4\r\nv1"}\r\n0\r\n\r\n',
      said('v1'),
    ],
    [
      'a document with trailers',
      json,
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"version":"v1"}\r\n0\r\nx-sum: 1\r\n\r\n',
      said('v1'),
    ],
    ['a text', text, 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nv1\n', said('v1')],
    [
      'one that is the last of its connection',
      text,
      'HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nv1',
      said('v1', false),
    ],
    ['one of HTTP/1.0', text, 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nv1', said('v1', false)],
  ])('is read: %s', (_, settings, answer, want) => {
    expect(greeted(settings, [answer])).toEqual(want);
    // However it comes.
    expect(greeted(settings, [...answer])).toEqual(want);
  });

  it('is over with the connection where it has no length', () => {
    const answer = 'HTTP/1.1 200 OK\r\n\r\nv1';
    expect(greeted(text, [answer])).toBeNull();
    expect(greeted(text, [answer], true)).toEqual(said('v1', false));
  });

  it.each([
    ['what is no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nv1'],
    [
      'two ways to end',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['octets that nobody asked for', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1HTTP/1.1 200 OK\r\n'],
    ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
    ['a chunk that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['a field that is none', 'HTTP/1.1 200 OK\r\nbad field: x\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(4000)}`],
    ['a body without end', `HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n${'x'.repeat(90_000)}`],
  ])('is refused: %s', (_, answer) => {
    expect(greeted(text, [answer])).toMatchObject({ is: 'broken' });
  });

  // Each of these stood a thread still: for minutes, or until its stack was full.
  it.each<[string, string]>([
    ['blanks in a field, and a bare line feed', `HTTP/1.1 200 OK\r\nx:${' '.repeat(16_000)}\n\r\n\r\n`],
    ['blanks within a field', `HTTP/1.1 200 OK\r\nx: a${' '.repeat(16_000)}b\r\n\r\n`],
    ['blanks before a field', `HTTP/1.1 200 OK\r\nx:${' '.repeat(16_000)}b\r\n\r\n`],
    ['interim answers without end', 'HTTP/1.1 100\r\n\r\n'.repeat(4_000)],
  ])('is judged at once, whatever a server sends: %s', (_, answer) => {
    const startedAt = performance.now();
    greeted(text, [answer]);
    expect(performance.now() - startedAt).toBeLessThan(50);
  });

  it('is refused after more interim answers than any server has', () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\n';
    const last = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1';
    expect(greeted(text, [interim.repeat(32) + last])).toEqual(said('v1'));
    expect(greeted(text, [...Array<string>(33).fill(interim), last])).toMatchObject({ is: 'broken' });
  });

  it('is refused when the connection ends before it does', () => {
    expect(greeted(text, [], true)).toMatchObject({ is: 'broken' });
    expect(greeted(text, ['HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nv1'], true)).toMatchObject({
      is: 'broken',
    });
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom(...'HTP/1. 20\r\n:cx-') }), { maxLength: 20 }),
        (pieces) => {
          greeted(text, ['HTTP/1.1 200 OK\r\n', ...pieces], true);
        },
      ),
    );
  });
});

describe('who is greeted', () => {
  const servers = (settings: GreetingSettings | null) => {
    const faults: WrongVersion[] = [];
    return {
      faults,
      greeted: new GreetedServers(settings, { onUpstreamFault: (fault) => faults.push(fault) }),
    };
  };

  it('is a server that has said what it runs, where versions are discovered', () => {
    const { greeted } = servers(header);
    expect(greeted.greetingFor(upstream)?.request).toBe(
      'GET /healthz HTTP/1.1\r\nhost: web01:8080\r\nuser-agent: lockstep-health\r\n\r\n',
    );
    expect(greeted.greetingFor({ ...upstream, mustSay: null })).toBeNull();
    expect(servers(null).greeted.greetingFor(upstream)).toBeNull();
  });

  it('is used when it says so, and told on when it says something else', () => {
    const { greeted, faults } = servers(header);
    expect(greeted.judge(upstream, said('v1'))).toBeNull();
    expect(greeted.judge(upstream, { is: 'broken', why: 'closed' })).toBe('closed');
    expect(faults).toEqual([]);
    expect(greeted.judge(upstream, said('v2'))).toBe('it runs v2, not v1');
    expect(greeted.judge(upstream, said(''))).toBe('it does not say which version it runs');
    expect(faults.map(({ reported }) => reported)).toEqual(['v2', '']);
  });

  it('is believed for a moment where it closes its connections, until one fails', () => {
    const { greeted } = servers(header);
    greeted.judge(upstream, said('v1', false));
    expect(greeted.greetingFor(upstream)).toBeNull();
    expect(greeted.greetingFor({ ...upstream, slot: 6 })).not.toBeNull();
    greeted.forget(upstream.slot);
    expect(greeted.greetingFor(upstream)).not.toBeNull();
  });
});
