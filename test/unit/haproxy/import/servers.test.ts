import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../../src/config/load.ts';
import { type Asked, notesOf, problemsOf, runImport } from './run-import.ts';

/** A backend with these lines, reached at :80. */
const farm = (lines: string, more = '') =>
  `defaults\nmode http\n${more}\nfrontend f\nbind :80\ndefault_backend b\nbackend b\n${lines}`;

function printed(text: string, asked?: Asked) {
  const result = runImport(text, asked);
  if (!result.ok) throw new Error(problemsOf(result).join('\n'));
  return { ...parse(result.yaml), yaml: result.yaml, notes: notesOf(result) };
}
const upstreamsOf = (lines: string, more?: string) => printed(farm(lines, more)).versions.v1.upstreams;

const FOUR = [
  'server web01 10.0.0.1:80',
  'server web02 10.0.0.2:80',
  'server web03 10.0.0.3:80',
  'server web04 10.0.0.4:80',
];
const HALVES = {
  parts: [
    ['web01', 'web02'],
    ['web03', 'web04'],
  ],
  names: null,
};

describe('servers', () => {
  it('get what default-server lines before them say, and take it back', () => {
    const { health, versions, yaml } = printed(
      farm(
        'default-server disabled fall 9\nserver a 10.0.0.1:80 enabled check\ndefault-server rise 5\nserver b 10.0.0.2:80 check',
      ),
    );
    expect(versions.v1.upstreams).toEqual(['http://10.0.0.1:80']);
    expect(yaml).toContain('# - http://10.0.0.2:80');
    expect(health).toMatchObject({ fall: 9 });
    expect(health).not.toHaveProperty('rise');
  });

  it('get what defaults say', () => {
    const { health } = printed(farm('server a 10.0.0.1:80 check', 'default-server inter 7s'));
    expect(health.interval).toBe('7s');
  });

  it.each([
    { name: 'three', given: 'server-template web 3 app.internal:80', want: 'web1..web3' },
    { name: 'a range', given: 'server-template web 4-6 app.internal:80', want: 'web4..web6' },
    { name: 'one', given: 'server-template web 1 app.internal:80', want: 'web1,' },
  ])('of a template are one upstream by name: $name', ({ given, want }) => {
    const { versions, yaml } = printed(farm(given));
    expect(versions.v1.upstreams).toEqual(['http://app.internal:80']);
    expect(yaml).toContain(want);
  });

  it.each(['0', '3-1', 'x', '1-99999', ''])('of a template with %s are refused', (range) => {
    expect(problemsOf(runImport(farm(`server-template web ${range} app.internal:80`)))).toEqual([
      expect.stringMatching(/^8: expected a prefix, a number or range/),
    ]);
  });

  it('without a port have the port of the only listener', () => {
    expect(upstreamsOf('server a 10.0.0.1')).toEqual(['http://10.0.0.1:80']);
  });

  it('at one address are one upstream', () => {
    const { versions, notes } = printed(farm('server a 10.0.0.1:80\nserver b 10.0.0.1:80'));
    expect(versions.v1.upstreams).toEqual(['http://10.0.0.1:80']);
    expect(notes).toContainEqual(
      expect.stringMatching(/^9 changed server b: 10.0.0.1:80 is an upstream already/),
    );
  });

  it('at which HAProxy itself listens are left out', () => {
    expect(upstreamsOf('server a 127.0.0.1:80\nserver b 10.0.0.1:80')).toEqual(['http://10.0.0.1:80']);
  });

  it('are all used when none of them gets new sessions', () => {
    expect(upstreamsOf('server a 10.0.0.1:80 disabled\nserver b 10.0.0.2:80 backup')).toHaveLength(2);
  });

  it.each([
    { name: 'TLS', given: 'ssl verify none', want: /TLS/ },
    { name: 'HTTP/2', given: 'proto h2', want: /h2/ },
    { name: 'FastCGI', given: 'proto fcgi', want: /fcgi/ },
    { name: 'a SOCKS proxy', given: 'socks4 10.0.0.9:1080', want: /SOCKS/ },
  ])('that speak $name are left out, and refused where there are no others', ({ given, want }) => {
    const { versions, notes } = printed(farm(`server a 10.0.0.1:80\nserver b 10.0.0.2:80 ${given}`));
    expect(versions.v1.upstreams).toEqual(['http://10.0.0.1:80']);
    expect(notes).toContainEqual(expect.stringMatching(want));
    expect(problemsOf(runImport(farm(`server b 10.0.0.2:80 ${given}`)))).toEqual([
      expect.stringMatching(
        /^8: expected a server that Lockstep can use for backend b, got none: b: .* — let HAProxy speak to it/,
      ),
    ]);
  });

  it('twice by one name are refused', () => {
    expect(problemsOf(runImport(farm('server a 10.0.0.1:80\nserver a 10.0.0.2:80')))).toEqual([
      '9: expected each server once, got a again — give it a name of its own',
    ]);
  });

  it('whose address is a variable that is not set are told of with the variable', () => {
    const result = runImport(farm('server a "$WEB01"'));
    expect(problemsOf(result)).toEqual([
      expect.stringMatching(/^8: expected a name and an address after server/),
    ]);
    expect(notesOf(result)).toContainEqual(
      expect.stringMatching(/^8 assumed server: the variable WEB01 is not set/),
    );
  });
});

describe('halves', () => {
  const activeOf = (lines: readonly string[], split = HALVES) =>
    printed(farm(lines.join('\n')), { split }).active;

  it('are versions; the first is active when both get sessions', () => {
    const { versions, active } = printed(farm(FOUR.join('\n')), {
      split: { ...HALVES, names: ['r41', '2026.11'] },
    });
    expect({ versions, active }).toEqual({
      versions: {
        r41: { upstreams: ['http://10.0.0.1:80', 'http://10.0.0.2:80'] },
        '2026.11': { upstreams: ['http://10.0.0.3:80', 'http://10.0.0.4:80'] },
      },
      active: 'r41',
    });
  });

  it.each(['disabled', 'weight 0', 'backup'])('that are %s are idle, whole, and not active', (said) => {
    const lines = FOUR.map((line, index) => (index < 2 ? `${line} ${said}` : line));
    expect(activeOf(lines)).toBe('v2');
    expect(printed(farm(lines.join('\n')), { split: HALVES }).versions.v1.upstreams).toHaveLength(2);
  });

  it('keep a single disabled server as a comment', () => {
    const lines = FOUR.map((line, index) => (index === 1 ? `${line} disabled` : line));
    expect(printed(farm(lines.join('\n')), { split: HALVES }).versions.v1.upstreams).toEqual([
      'http://10.0.0.1:80',
    ]);
  });

  it('may be named by addresses', () => {
    const split = {
      parts: [
        ['10.0.0.4:80', '10.0.0.3:80'],
        ['web01', 'web02'],
      ],
      names: null,
    };
    expect(printed(farm(FOUR.join('\n')), { split }).versions.v1.upstreams).toEqual([
      'http://10.0.0.4:80',
      'http://10.0.0.3:80',
    ]);
  });

  it.each([
    {
      name: 'one that there is not',
      parts: [['web1'], ['web03', 'web04', 'web02']],
      want: /got "web1": there is none — did you mean web01\?$/,
    },
    {
      name: 'one twice',
      parts: [
        ['web01', 'web02'],
        ['web02', 'web03', 'web04'],
      ],
      want: /expected each server once in --split, got web02 again/,
    },
    {
      name: 'not all',
      parts: [['web01'], ['web02']],
      want: /expected every server of backend b in --split, got none of web03, web04/,
    },
  ])('that name $name are refused', ({ parts, want }) => {
    expect(problemsOf(runImport(farm(FOUR.join('\n')), { split: { parts, names: null } }))[0]).toMatch(want);
  });

  it.each([
    { names: ['a'], want: /expected 2 versions in --names, got 1/ },
    { names: ['a', 'a'], want: /expected each version once/ },
    { names: ['a', '-b'], want: /expected a version id/ },
  ])('are refused with the names $names', ({ names, want }) => {
    expect(problemsOf(runImport(farm(FOUR.join('\n')), { split: { ...HALVES, names } }))).toContainEqual(
      expect.stringMatching(want),
    );
  });

  it('that share an address are refused', () => {
    const text = farm('server-template web 2 app.internal:80');
    expect(problemsOf(runImport(text, { split: { parts: [['web1'], ['web2']], names: null } }))[0]).toMatch(
      /got app.internal:80 in v1 and v2 — split by address/,
    );
  });
});

describe('the backend', () => {
  const two =
    'defaults\nmode http\nbackend shop\nserver a 10.0.0.1:80\nbackend blog\nserver b 10.0.0.2:80\nserver c 10.0.0.3:80';

  it('is named where there are several', () => {
    expect(problemsOf(runImport(two))).toEqual([
      '1: expected one backend with servers, got 2: shop (1 server), blog (2 servers) — say which is the application, as in --backend blog',
    ]);
    expect(printed(two, { backend: 'shop' }).versions.v1.upstreams).toEqual(['http://10.0.0.1:80']);
  });

  it.each([
    {
      name: 'is not there',
      text: two,
      backend: 'shp',
      want: /got "shp", which is none — did you mean shop\?/,
    },
    { name: 'is like none', text: two, backend: 'constructor', want: /backends with servers: shop, blog/ },
    {
      name: 'is in mode tcp',
      text: 'backend a\nmode tcp\nserver a 10.0.0.1:80',
      backend: 'a',
      want: /expected mode http, got mode tcp/,
    },
    {
      name: 'is in no mode, which is tcp',
      text: 'backend a\nserver a 10.0.0.1:80',
      backend: undefined,
      want: /got mode tcp/,
    },
    {
      name: 'is disabled',
      text: 'backend a\nmode http\ndisabled\nserver a 10.0.0.1:80',
      backend: 'a',
      want: /which is disabled/,
    },
    {
      name: 'has no servers',
      text: 'backend a\nmode http',
      backend: undefined,
      want: /got none — name all files/,
    },
    {
      name: 'is declared twice',
      text: 'backend a\nbackend a',
      backend: undefined,
      want: /got backend a again — it stands at a.cfg:1/,
    },
    {
      name: 'has defaults that are not there',
      text: 'backend a from b\nmode http\nserver a 10.0.0.1:80',
      backend: undefined,
      want: /earlier defaults section after from, got "b"/,
    },
  ])('is refused when it $name', ({ text, backend, want }) => {
    expect(problemsOf(runImport(text, backend === undefined ? {} : { backend }))[0]).toMatch(want);
  });

  it('has an address of its own where no frontend leads to it, and leaves 9090 to it', () => {
    const { listen, admin } = printed(
      'defaults\nmode http\nbackend a\nserver a 127.0.0.1:8080\nserver b 127.0.0.1:9090',
    );
    expect({ listen, admin }).toEqual({ listen: ['127.0.0.1:8081'], admin: { listen: '127.0.0.1:9091' } });
  });
});

describe('servers that are found in DNS', () => {
  const RESOLVERS =
    'resolvers r\nnameserver a 10.0.0.53:53\nnameserver b udp@[::1]:8600\nnameserver c /run/dns\nhold valid 5s\n';

  it('by an SRV name are in no version: discovery finds them, and says where it looks', () => {
    const text = `${RESOLVERS}${farm('option httpchk GET /up\nserver-template web 5 _web._tcp.shop.internal resolvers r check')}`;
    const { versions, active, discovery } = printed(text);
    expect({ versions, active, discovery }).toEqual({
      versions: undefined,
      active: undefined,
      discovery: {
        dns: [{ name: '_web._tcp.shop.internal', type: 'srv', every: '5s' }],
        resolvers: ['10.0.0.53:53', '[::1]:8600'],
        version: { header: 'x-app-version' },
      },
    });
  });

  it('say their version at a path where checks only connect', () => {
    expect(printed(farm('server-template web 5 _web._tcp.shop.internal')).discovery.version).toEqual({
      path: '/version',
    });
  });

  it('stand beside a version of others', () => {
    const { versions, active } = printed(
      farm('server a 10.0.0.1:80\nserver-template web 5 _web._tcp.shop.internal'),
    );
    expect({ versions, active }).toEqual({
      versions: { v1: { upstreams: ['http://10.0.0.1:80'] } },
      active: 'v1',
    });
  });

  it('by an ordinary name are one upstream, and discovery is suggested, as it would be taken', () => {
    const { discovery, yaml } = printed(
      `${RESOLVERS}${farm('server-template web 5 Shop.internal:81 resolvers r')}`,
    );
    expect(discovery).toBeUndefined();
    const suggested = yaml.split('\n').filter((line: string) => /^# (?:discovery:| {2})/.test(line));
    const uncommented = suggested.map((line: string) => line.slice(2)).join('\n');
    expect(parse(uncommented).discovery).toEqual({
      dns: [{ name: 'shop.internal', type: 'a', port: 81, every: '5s' }],
      resolvers: ['10.0.0.53:53', '[::1]:8600'],
      version: { path: '/version' },
    });
    const checked = parseConfig(`${yaml}\n${uncommented}`, 'lockstep.yaml', {});
    expect(checked.ok ? [] : checked.problems).toEqual([]);
  });

  it('cannot be split', () => {
    const text = farm('server-template web 2 _web._tcp.shop.internal');
    expect(problemsOf(runImport(text, { split: { parts: [['web1'], ['web2']], names: null } }))[0]).toMatch(
      /^7: expected a server of backend b in --split, got "web1": there is none/,
    );
  });
});

describe('the runtime socket', () => {
  const suggested = (socket: string) =>
    printed(`global\n${socket}\n${farm('server a 10.0.0.1:80')}`).yaml.match(
      /^# haproxy: (.*?) +# a.cfg:2: stats socket$/m,
    )?.[1];

  it.each([
    {
      given: 'stats socket /run/h.sock mode 660 level admin',
      want: '{ sockets: [/run/h.sock], backend: b }',
    },
    { given: 'stats socket unix@/run/h.sock level admin', want: '{ sockets: [/run/h.sock], backend: b }' },
    {
      given: 'stats socket ipv4@127.0.0.1:9999 level admin',
      want: '{ sockets: [127.0.0.1:9999], backend: b }',
    },
    { given: 'stats socket /run/h.sock', want: undefined },
    { given: 'stats socket /run/h.sock level operator', want: undefined },
    { given: 'stats socket fd@3 level admin', want: undefined },
  ])('is suggested when it may change states: $given', ({ given, want }) => {
    expect(suggested(given)).toBe(want);
  });

  it('is suggested as it would be taken', () => {
    const { yaml } = printed(`global\nstats socket /run/h.sock level admin\n${farm('server a 10.0.0.1:80')}`);
    const checked = parseConfig(yaml.replace('# haproxy:', 'haproxy:'), 'lockstep.yaml', {});
    expect(checked.ok ? [] : checked.problems).toEqual([]);
  });
});
