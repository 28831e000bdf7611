import { describe, expect, it } from 'vitest';
import { readHosts, resolveHosts } from '../../../../src/cli/deploy/hosts.ts';

describe('hosts on the command line', () => {
  it.each([
    {
      text: 'web03,web04',
      want: [
        ['web03', null],
        ['web04', null],
      ],
    },
    { text: 'web03=10.0.0.3:8080', want: [['web03', '10.0.0.3:8080']] },
    { text: 'web03=http://10.0.0.3', want: [['web03', '10.0.0.3:80']] },
    { text: '10.0.0.3:8080', want: [['10.0.0.3:8080', '10.0.0.3:8080']] },
    { text: '[::1]:8080', want: [['[::1]:8080', '[::1]:8080']] },
  ])('$text are read', ({ text, want }) => {
    expect(readHosts(text)).toEqual(want.map(([name, address]) => ({ name, address })));
  });

  it.each([
    '',
    'web03,',
    'web03;rm',
    '$(id)',
    'web03 web04',
    'web03=',
    'web03=a=b:1',
    '-x',
    'web03=u:p@h:1',
    "we'b",
  ])('%j are refused', (text) => {
    expect(readHosts(text)).toMatch(/^expected names such as/);
  });

  it('are refused twice', () => {
    expect(readHosts('web03,web03')).toBe('web03 is given twice');
  });
});

describe('a gateway that lies', () => {
  it.each([
    '10.0.0.3:8080; id',
    '$(id):80',
    '"`id`":80',
    "';id;':80",
    '-oProxyCommand=id:80',
    'http://10.0.0.3:8080/',
    '',
    null,
    { id: 1 },
  ])('can not have %j stand in a command', (told) => {
    const address = told as string;
    const [host] = readHosts('web03') as readonly { name: string; address: null }[];
    for (const port of [null, 80]) {
      const resolved = resolveHosts([host!], [{ name: 'web03', address }], [address], {
        port,
        upstream: null,
      });
      if (resolved.ok) expect(resolved.places).toEqual([{ name: 'web03', address: 'web03:80' }]);
      else expect(resolved.what).toMatch(/^nothing is known of web03/);
    }
  });
});

describe('the address of a host', () => {
  const servers = [
    { name: 'web03', address: '10.0.0.3:8080' },
    { name: 'web04', address: '10.0.0.4:8080' },
    { name: 'web04b', address: '10.0.0.4:8081' },
  ];
  const upstreams = ['web05:8080', 'web06:1', 'web06:2', '[::1]:8080'];
  const none = { port: null, upstream: null };
  it.each([
    { name: 'is what was given', host: 'web03=h:1', options: none, want: 'h:1' },
    { name: 'is that of the server of that name', host: 'web03', options: none, want: '10.0.0.3:8080' },
    { name: 'is that of the one server on it', host: '10.0.0.3', options: none, want: '10.0.0.3:8080' },
    { name: 'is that of the one upstream on it', host: 'WEB05', options: none, want: 'web05:8080' },
    { name: 'has the port that was given', host: 'web06', options: { ...none, port: 2 }, want: 'web06:2' },
    {
      name: 'is the host of the server of that name, with the port',
      host: 'web03',
      options: { ...none, port: 9 },
      want: '10.0.0.3:9',
    },
    {
      name: 'follows the template',
      host: 'web03',
      options: { ...none, upstream: 'http://{host}.internal:81' },
      want: 'web03.internal:81',
    },
  ])('$name', ({ host, options, want }) => {
    const hosts = readHosts(host);
    if (typeof hosts === 'string') throw new Error(hosts);
    const resolved = resolveHosts(hosts, servers, upstreams, options);
    expect(resolved).toEqual({ ok: true, places: [{ name: hosts[0]?.name, address: want }] });
  });

  it.each([
    { name: 'nothing is known', hosts: 'web09', options: none, says: /nothing is known of web09/ },
    { name: 'it may be two', hosts: 'web06', options: none, says: /web06 may be web06:1 or web06:2/ },
    {
      name: 'it may be two servers',
      hosts: '10.0.0.4',
      options: none,
      says: /10.0.0.4:8080 or 10.0.0.4:8081/,
    },
    {
      name: 'two have it',
      hosts: 'web03,x=10.0.0.3:8080',
      options: none,
      says: /web03 and x both have the address/,
    },
    {
      name: 'the template makes none',
      hosts: 'web03',
      options: { ...none, upstream: 'https://{host}' },
      says: /is no address/,
    },
  ])('is refused where $name, with what to do', ({ hosts, options, says }) => {
    const read = readHosts(hosts);
    if (typeof read === 'string') throw new Error(read);
    const resolved = resolveHosts(read, servers, upstreams, options);
    expect(resolved.ok ? '' : `${resolved.what} — ${resolved.advice}`).toMatch(says);
  });
});
