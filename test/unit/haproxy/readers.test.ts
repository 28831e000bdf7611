import { describe, expect, test } from 'vitest';
import { isStoredServers } from '../../../src/core/stored-servers.ts';
import { readInfo, readServersStat, readServersState, readVariable } from '../../../src/haproxy/readers.ts';

const COLUMNS =
  'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port';
const row = (name: string, address: string, up: number, admin: number, port = 80) =>
  `3 be_app 1 ${name} ${address} ${up} ${admin} 5 10 1 6 3 4 6 0 0 0 - ${port} - 0 0 - - 0`;
const states = (...rows: readonly string[]) => `1\n# ${COLUMNS}\n${rows.join('\n')}\n`;

describe('show servers state', () => {
  test.each([
    { name: 'ready', admin: 0x00, state: 'ready', held: null },
    { name: 'forced into maintenance', admin: 0x01, state: 'maint', held: null },
    { name: 'disabled in the configuration, and made ready', admin: 0x04, state: 'ready', held: null },
    { name: 'disabled in the configuration', admin: 0x05, state: 'maint', held: null },
    { name: 'draining', admin: 0x08, state: 'drain', held: null },
    { name: 'draining, with a name that was set', admin: 0x48, state: 'drain', held: null },
    { name: 'away because the server that it tracks is', admin: 0x02, state: 'ready', held: 'tracking' },
    {
      name: 'draining because the server that it tracks does',
      admin: 0x10,
      state: 'ready',
      held: 'tracking',
    },
    { name: 'away because its name has no address', admin: 0x20, state: 'ready', held: 'resolution' },
  ])('tells a server that is $name', ({ admin, state, held }) => {
    expect(readServersState(states(row('web01', '10.0.0.1', 2, admin)), 'be_app')).toEqual([
      {
        backend: 'be_app',
        name: 'web01',
        address: '10.0.0.1:80',
        aliases: ['web01:80'],
        state,
        held,
        isRunning: true,
        weight: 5,
        initialWeight: 10,
      },
    ]);
  });

  test('tells addresses as upstreams are written, and that there is none', () => {
    const read = readServersState(
      states(row('a', '2001:DB8::1', 0, 0, 8080), row('b', '-', 0, 0x20), row('c', '/run/app.sock', 2, 0, 0)),
      'be_app',
    );
    expect(read.map(({ address, isRunning }) => [address, isRunning])).toEqual([
      ['[2001:db8::1]:8080', false],
      [null, false],
      [null, true],
    ]);
  });

  test('tells no address that no upstream could have: it would be stored, and could not be read again', () => {
    const found = (address: string, port: number) =>
      readServersState(states(row('a', address, 2, 0, port)), 'be_app')[0]!.address;
    expect(found('::ffff:10.0.0.1', 80)).toBe('[::ffff:a00:1]:80');
    for (const [address, port] of [
      ['10.0.0.1', 99_999],
      ['999.0.0.1', 80],
      ['....', 80],
      [':::::', 80],
      ['169.254.169.254', 80],
    ] as const) {
      expect(found(address, port)).toBeNull();
    }
    for (const address of [found('::ffff:10.0.0.1', 80)!, found('2001:DB8::1', 1)!]) {
      const told = [{ source: 'haproxy', of: '', servers: [{ name: 'a', address }] }];
      expect(isStoredServers({ added: [], told })).toBe(true);
    }
  });

  test('tells the names of its host', () => {
    const text = states(row('web01', '10.0.0.1', 2, 0).replace(' - 80', ' App1.internal 80'));
    expect(readServersState(text, 'be_app')[0]!.aliases).toEqual(['app1.internal:80', 'web01:80']);
  });

  test('reads columns by name, whatever order and however many a later HAProxy has', () => {
    const text =
      '1\n# srv_name be_name srv_fqdn novelty srv_port srv_addr srv_op_state srv_iweight srv_uweight srv_admin_state\nweb01 be_app - x 81 10.0.0.9 2 1 1 8\n# a comment\n';
    expect(readServersState(text, 'be_app')).toMatchObject([
      { name: 'web01', address: '10.0.0.9:81', state: 'drain' },
    ]);
  });

  test.each([
    { name: 'an unknown backend', text: "Can't find backend.\n", want: /with "Can't find backend\."/ },
    { name: 'another format', text: '2\n# x\n', want: /speaks version "2"/ },
    {
      name: 'another backend',
      text: states(row('a', '10.0.0.1', 2, 0)).replace('be_app', 'be_b'),
      want: /told of "be_b"/,
    },
    {
      name: 'a missing column',
      text: '1\n# be_name srv_name\nbe_app web01\n',
      want: /has no srv_admin_state/,
    },
    {
      name: 'a number that is none',
      text: states(row('a', '10.0.0.1', 2, Number.NaN)),
      want: /has "NaN" for srv_admin_state/,
    },
    {
      name: 'a name that would be a command',
      text: states(row('a;b', '10.0.0.1', 2, 0)),
      want: /calls a server "a;b"/,
    },
    { name: 'nothing', text: '', want: /with something else: ""/ },
    { name: 'octets', text: '\u0000\u0001', want: /with something else: "\?\?"/ },
  ])('refuses $name', ({ text, want }) => {
    expect(() => readServersState(text, 'be_app')).toThrow(want);
  });
});

describe('show stat', () => {
  test('tells sessions and queue by the names of the columns, quoted cells and all', () => {
    const text = '# pxname,svname,note,qcur,scur,\nbe_app,web01,"a ""b"", c",3,12,\nbe_app,web02,,0,0,\n';
    expect([...readServersStat(text)]).toEqual([
      ['web01', { sessions: 12, queue: 3 }],
      ['web02', { sessions: 0, queue: 0 }],
    ]);
  });

  test('refuses what is none', () => {
    expect(() => readServersStat('No such proxy.\n')).toThrow('"No such proxy."');
    expect(() => readServersStat('# svname,scur,qcur\nweb01,x,0\n')).toThrow('has "x" for scur');
  });
});

test('show stat of a million cells is judged at once', () => {
  const startedAt = performance.now();
  const text = `# svname,scur,qcur\nweb01,1,2${','.repeat(1_000_000)}\n`;
  expect(readServersStat(text).get('web01')).toEqual({ sessions: 1, queue: 2 });
  expect(performance.now() - startedAt).toBeLessThan(1_500);
});

test.each(['"a,b"', '"a"",b"""', '"a', '""', 'a"b'])('show stat tells where the cell %s ends', (cell) => {
  const text = `# note,scur,svname,qcur\n${cell},1,web01,7\n`;
  expect(readServersStat(text).get('web01')).toEqual({ sessions: 1, queue: 7 });
});

describe('show info', () => {
  const info =
    'Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 812\nUptime_sec: 60\nStopping: 0\nnode: a: b\n';

  test('tells which process it is, and since when', () => {
    expect(readInfo(`${info}Start_time_sec: 1700000000\n`, 0)).toEqual({
      version: '2.6.12-1+deb12u4',
      pid: 812,
      startedMs: 1_700_000_000_000,
      isStopping: false,
    });
    expect(readInfo(info.replace('Stopping: 0', 'Stopping: 1'), 100_000)).toMatchObject({
      startedMs: 40_000,
      isStopping: true,
    });
  });

  test.each([
    '',
    'Name: nginx\nPid: 1\nUptime_sec: 1\n',
    'Name: HAProxy\nPid: -\nUptime_sec: 1\n',
    // No Date holds when that began.
    'Name: HAProxy\nPid: 1\nUptime_sec: 999999999999999\n',
  ])('refuses %j', (text) => {
    expect(() => readInfo(text, 0)).toThrow('show info');
  });

  test('tells only of a start that there can have been', () => {
    const { startedMs } = readInfo(`${info}Start_time_sec: 999999999999999\n`, 100_000);
    expect(startedMs).toBe(40_000);
  });
});

test('a variable is read, and what is none', () => {
  expect(readVariable('proc.a: type=str value=<x>\n', 'proc.a')).toBe('x');
  expect(readVariable('Variable not found.\n', 'proc.a')).toBeNull();
  expect(readVariable('proc.b: type=str value=<x>\n', 'proc.a')).toBeNull();
  expect(readVariable('Unknown command\n', 'proc.a')).toBeNull();
});
