import { describe, expect, it } from 'vitest';
import { type InheritedSocket, takeInheritedSockets, withInherited } from '../../src/inherited-sockets.ts';

const at = (host: string, port = 8080) => ({ host, port, tls: null });
const socket = (fd: number, host: string, port = 8080): InheritedSocket => ({ fd, host, port });

describe('sockets of the service manager', () => {
  it.each([
    { name: 'none', listen: [at('0.0.0.0')], sockets: [], want: [undefined] },
    { name: 'one', listen: [at('0.0.0.0')], sockets: [socket(3, '0.0.0.0')], want: [3] },
    {
      name: 'in another order',
      listen: [at('0.0.0.0', 80), at('0.0.0.0', 443)],
      sockets: [socket(3, '0.0.0.0', 443), socket(4, '0.0.0.0', 80)],
      want: [4, 3],
    },
    {
      name: 'for one of two addresses',
      listen: [at('127.0.0.1', 80), at('127.0.0.2', 80)],
      sockets: [socket(3, '127.0.0.2', 80)],
      want: [undefined, 3],
    },
    { name: 'IPv6 spelt at length', listen: [at('0:0::1')], sockets: [socket(3, '::1')], want: [3] },
    { name: 'a name', listen: [at('localhost')], sockets: [socket(3, '127.0.0.1')], want: [3] },
  ])('are matched by address: $name', async ({ listen, sockets, want }) => {
    const matched = await withInherited(listen, sockets);
    expect(matched.map(({ fd }) => fd)).toEqual(want);
    expect(matched.map(({ host, port, tls }) => ({ host, port, tls }))).toEqual(listen);
  });

  it.each([
    { name: 'another port', sockets: [socket(3, '0.0.0.0', 81)], want: '0.0.0.0:81 (descriptor 3)' },
    { name: 'all of IPv6 for all of IPv4', sockets: [socket(3, '::')], want: '[::]:8080 (descriptor 3)' },
    {
      name: 'the same twice (ReusePort=yes)',
      sockets: [socket(3, '0.0.0.0'), socket(4, '0.0.0.0')],
      want: '0.0.0.0:8080 (descriptor 4)',
    },
  ])('that nobody would accept from are refused: $name', async ({ sockets, want }) => {
    await expect(withInherited([at('0.0.0.0')], sockets)).rejects.toThrow(`got also ${want}`);
  });
});

describe('LISTEN_FDS', () => {
  it('is not there: there are none', () => {
    expect(takeInheritedSockets({ LISTEN_PID: '7' }, 7)).toEqual([]);
  });

  it('is forgotten, so that no other program takes it for its own', () => {
    const env = { LISTEN_PID: '7', LISTEN_FDS: '0', LISTEN_FDNAMES: 'web', PATH: '/bin' };
    expect(takeInheritedSockets(env, 7)).toEqual([]);
    expect(env).toEqual({ PATH: '/bin' });
  });

  it.each([
    { env: { LISTEN_FDS: '-1' }, want: 'expected a number of sockets, got "-1"' },
    { env: { LISTEN_FDS: '2', LISTEN_PID: '8' }, want: 'its 2 sockets were given to process 8' },
  ])('is refused when it makes no sense: $env', ({ env, want }) => {
    expect(() => takeInheritedSockets(env, 7)).toThrow(want);
  });
});
