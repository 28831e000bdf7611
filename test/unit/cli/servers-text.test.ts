import { describe, expect, it } from 'vitest';
import { tellServerChange, tellServers } from '../../../src/cli/servers-text.ts';
import { reportOf, sourceOf, WEB01, WEB05 } from './server-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T01:14:30Z'), timeZone: 'UTC', columns: 80 };

describe('the table of servers', () => {
  it('says what each runs, how it is, and who told of it', () => {
    const plain = {
      ...WEB05,
      name: '10.0.0.7:8080',
      address: '10.0.0.7:8080',
      why: null,
      sources: ['dns'] as const,
    };
    expect(tellServers(reportOf({ servers: [WEB01, WEB05, plain] }), NOW)).toBe(
      `SERVER         ADDRESS        VERSION  HEALTH   FROM
web01          10.0.0.1:8080  v1       up       config, dns
web05          10.0.0.5:8080  -        unknown  admin
10.0.0.7:8080                 -        unknown  dns

! web05 stands in no pool: the header x-app-version says nothing.
`,
    );
  });

  it('says below it what is wrong with the sources', () => {
    const sources = [
      sourceOf('dns', 'app.internal:8080', {
        trouble: { why: 'app.internal: there is no such name (NXDOMAIN)', since: '2026-03-01T01:13:00.000Z' },
        missing: 2,
        refused: ['app.internal leads to 127.0.0.1, port 8080: this machine itself'],
      }),
      sourceOf('file', '/etc/old.txt', { isLeaving: true }),
    ];
    const clashes = [{ name: 'web', addresses: ['a:1', 'b:1'] }];
    expect(tellServers(reportOf({ servers: [], sources, clashes, leftOut: 3 }), NOW)).toBe(
      `No server is known.

! dns app.internal:8080, since 01:13 (1m ago): app.internal: there is no such
  name (NXDOMAIN). What it told last stays in force.
! dns app.internal:8080: 2 servers missing in the last answer; gone when the
  next one lacks them too.
! dns app.internal:8080: left out: app.internal leads to 127.0.0.1, port 8080:
  this machine itself.
! file /etc/old.txt is no longer configured, and goes when what is new has told
  of servers.
! web is given to a:1 and b:1: the first has it, others go by their addresses.
! There is no room for 3 servers more: left out.
`,
    );
  });

  it('says why there is none without discovery', () => {
    const none = { discovery: false, servers: [], sources: [] };
    expect(tellServers(reportOf(none), NOW)).toBe(
      `No server is known: the configuration has no discovery. Versions have the
  servers that are put or declared.
`,
    );
  });

  it('lets no server move the cursor', () => {
    const rude = { ...WEB01, version: 'v1\x1b[2J' };
    expect(tellServers(reportOf({ servers: [rude] }), NOW)).not.toContain('\x1b');
  });
});

describe('a change of servers', () => {
  const change = (more: object) => ({ dryRun: false, epoch: 7, server: WEB05, isKnown: true, ...more });
  it.each([
    {
      given: tellServerChange(change({}), 'added', NOW),
      want: 'web05 (10.0.0.5:8080) is added. It joins the pool of the version that it runs.\n',
    },
    {
      given: tellServerChange(change({ server: { ...WEB05, version: 'v2' } }), 'added', NOW),
      want: 'web05 (10.0.0.5:8080) is added. It stands in the pool of v2.\n',
    },
    {
      given: tellServerChange(change({ isKnown: false }), 'removed', NOW),
      want: 'web05 (10.0.0.5:8080) is removed: it gets no new requests, and what is under way\nthere is finished.\n',
    },
    {
      given: tellServerChange(change({ server: { ...WEB05, sources: ['admin', 'dns'] } }), 'removed', NOW),
      want: 'web05 (10.0.0.5:8080) is no longer yours, and stays: dns has it too.\n',
    },
    {
      given: tellServerChange(change({ dryRun: true, isKnown: false }), 'removed', NOW),
      want: 'Dry run, nothing was changed. It would be so:\nweb05 (10.0.0.5:8080) is removed: it gets no new requests, and what is under way\nthere is finished.\n',
    },
  ])('is told: $want', ({ given, want }) => {
    expect(given).toBe(want);
  });
});
