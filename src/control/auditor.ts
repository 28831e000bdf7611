// Writes the audit log. What happened has happened: a log that cannot be written is loud, but undoes nothing.

import type { Deployment } from '../core/deployment.ts';
import type { Clock } from './clock.ts';
import type { ControlLog } from './data-plane.ts';
import type { Events } from './events.ts';
import { type AuditSubject, auditEntry } from './report.ts';
import type { StateFolder } from './state-folder.ts';
import type { StateWatch } from './state-watch.ts';

export interface AuditPorts {
  readonly state: Pick<StateFolder, 'appendAudit'>;
  readonly stateWatch: Pick<StateWatch, 'status'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly events: Events;
  readonly log: ControlLog;
}

export type Audit = (
  subject: AuditSubject,
  before: Deployment,
  after: Deployment,
  code: string | null,
  isDone?: boolean,
) => Promise<void>;

/** Never rejects. */
export function auditor({ state, stateWatch, clock, events, log }: AuditPorts): Audit {
  return async (subject, before, after, code, isDone) => {
    const entry = auditEntry(subject, before, after, code, clock.wallMs(), isDone);
    try {
      await state.appendAudit(entry);
    } catch (err) {
      log.error({ err, entry }, 'the audit log could not be written');
      // Where nothing can be written that has been told.
      if (!stateWatch.status.writable) return;
      events.tell('state-unwritable', entry.version, { what: 'audit log' });
    }
  };
}
