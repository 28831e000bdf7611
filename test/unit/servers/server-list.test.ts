// The file of servers: what it becomes, and every mistake in it, with its line.

import { describe, expect, it } from 'vitest';
import { MOST_SERVERS } from '../../../src/core/server-union.ts';
import { parseServerList } from '../../../src/servers/server-list.ts';

const parse = (text: string) =>
  parseServerList(text, (address) => (address === '127.0.0.1:9090' ? 'where the admin API listens' : null));

describe('a list of servers', () => {
  it.each([
    {
      name: 'lines',
      given: '# ours\n\nweb01 http://10.0.0.1:8000   # left\n\thttp://10.0.0.2:8000\r\nweb03  10.0.0.3:8000',
      want: [
        { name: 'web01', address: '10.0.0.1:8000' },
        { name: null, address: '10.0.0.2:8000' },
        { name: 'web03', address: '10.0.0.3:8000' },
      ],
    },
    {
      name: 'lines of another system, with remarks',
      given: '# ours\r\nweb01 http://10.0.0.1:8000 # left\r\nhttp://10.0.0.2:8000 # right\r\n',
      want: [
        { name: 'web01', address: '10.0.0.1:8000' },
        { name: null, address: '10.0.0.2:8000' },
      ],
    },
    {
      name: 'YAML',
      given:
        '---\n# ours\n- http://10.0.0.1:8000\n- { name: web02, url: "http://10.0.0.2:8000" }\n- name: web03\n  url: 10.0.0.3:8000\n',
      want: [
        { name: null, address: '10.0.0.1:8000' },
        { name: 'web02', address: '10.0.0.2:8000' },
        { name: 'web03', address: '10.0.0.3:8000' },
      ],
    },
    {
      name: 'JSON',
      given: '[\n  "http://10.0.0.1:8000",\n  {"url": "http://WEB02:8000", "name": "web02"}\n]',
      want: [
        { name: null, address: '10.0.0.1:8000' },
        { name: 'web02', address: 'web02:8000' },
      ],
    },
    { name: 'a list that says that it is empty', given: '[]\n', want: [] },
    {
      name: 'a text with a mark of its byte order',
      given: '\uFEFFhttp://a:1\n',
      want: [{ name: null, address: 'a:1' }],
    },
  ])('is read from $name', ({ given, want }) => {
    expect(parse(given)).toEqual({ ok: true, servers: want });
  });

  it('is read in no time, however many remarks stand in one line', () => {
    const startedAt = performance.now();
    parse(`a:1${' #'.repeat(250_000)}\u2028`);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it.each([
    {
      name: 'nothing',
      given: '',
      want: ['line 1: expected at least one server, got none; write [] for none'],
    },
    {
      name: 'nothing but a remark',
      given: '# none\n',
      want: ['line 1: expected at least one server, got none; write [] for none'],
    },
    {
      name: 'a line of three words',
      given: 'http://a:1\nweb01 is http://b:1',
      want: ['line 2: expected name and URL, got 3 words'],
    },
    {
      name: 'a URL that is none',
      given: 'http://a:1\nweb02 https://b:1',
      want: ['line 2: expected http://host:port, got "https://b:1": TLS is not spoken here'],
    },
    {
      name: 'a name that is none',
      given: 'web/1 http://a:1',
      want: [expect.stringMatching(/^line 1: expected a name of at most 128 .*, got "web\/1"$/)],
    },
    {
      name: 'an address twice',
      given: 'http://a:1\nhttp://b:1\nweb A:1',
      want: ['line 3: expected a:1 once, it stands in line 1 already'],
    },
    {
      name: 'a name twice',
      given: 'web http://a:1\nweb http://b:1',
      want: ['line 2: expected web once, it stands in line 1 already'],
    },
    {
      name: 'the gateway',
      given: 'http://127.0.0.1:9090',
      want: ['line 1: expected a server of the application, got 127.0.0.1:9090, where the admin API listens'],
    },
    {
      name: 'a link-local address',
      given: '- http://169.254.169.254',
      want: ['line 1: expected no link-local address, got "http://169.254.169.254"'],
    },
    {
      name: 'half of a JSON list',
      given: '[\n  "http://a:1",\n  "http://b',
      want: [expect.stringMatching(/^line 3: /), expect.stringMatching(/^line 3: /)],
    },
    {
      name: 'half of a YAML entry',
      given: '- http://a:1\n- { name: web02, url: "http:',
      want: expect.arrayContaining([expect.stringMatching(/^line 2: /)]),
    },
    {
      name: 'a mapping',
      given: '{ "servers": [] }',
      want: ['line 1: expected a list of servers, got something else'],
    },
    {
      name: 'entries that are none',
      given: '- http://a:1\n- 8080\n- { url: "http://b:1", weight: 3 }\n- { name: c }\n- [d]',
      want: [2, 3, 4, 5].map(
        (line) => `line ${line}: expected http://host:port or { name: web01, url: "http://host:port" }`,
      ),
    },
    {
      name: 'an alias',
      given: '- &a http://a:1\n- *a',
      want: ['line 2: expected http://host:port or { name: web01, url: "http://host:port" }'],
    },
    {
      name: 'many mistakes',
      given: Array.from({ length: 8 }, (_, n) => `https://a:${n + 1}`).join('\n'),
      want: [...[1, 2, 3, 4, 5].map((line) => expect.stringMatching(`^line ${line}: `)), 'and 3 more'],
    },
    {
      name: 'too many',
      given: Array.from({ length: MOST_SERVERS + 1 }, (_, n) => `http://h${n}:1`).join('\n'),
      want: [`expected at most ${MOST_SERVERS} servers, got ${MOST_SERVERS + 1}`],
    },
  ])('is refused whole for $name', ({ given, want }) => {
    expect(parse(given)).toEqual({ ok: false, problems: want });
  });
});
