// Servers as the admin API sees them: two are known, what is asked for is recorded, and is done.

import type { ChangeOptions, ServerOutcome, ServersPort } from '../../../src/admin/port.ts';
import type { ServerStatus } from '../../../src/core/server-report.ts';
import { reportOf, WEB05 } from '../../unit/cli/server-fixtures.ts';

export interface FakeServers extends ServersPort {
  /** What changes are answered, if not that they are done. */
  refusal: Exclude<ServerOutcome, { ok: true }> | null;
  readonly asked: (Pick<ChangeOptions, 'ifMatch' | 'dryRun' | 'by'> & Readonly<Record<string, unknown>>)[];
}

export function fakeServers(): FakeServers {
  const asked: FakeServers['asked'] = [];
  const report = (dryRun: boolean, server: ServerStatus, isKnown: boolean) =>
    ({ ok: true, report: { dryRun, epoch: 7, server, isKnown } }) as const;
  return {
    asked,
    refusal: null,
    report: () => reportOf(),
    async add(wish, { ifMatch, dryRun, by }) {
      asked.push({ ...wish, ifMatch, dryRun, by });
      const server = { ...WEB05, address: wish.address, name: wish.name ?? wish.address };
      return this.refusal ?? report(dryRun, server, true);
    },
    async remove(which, force, { ifMatch, dryRun, by }) {
      asked.push({ which, force, ifMatch, dryRun, by });
      return this.refusal ?? report(dryRun, WEB05, false);
    },
  };
}
