// What requests meet at upstreams, noted for passive health (core/passive-health.ts): counted in the gauges, and reported when
// there are enough in a row, and again after as many more.

import { networkHash } from '../core/client-network.ts';
import type { FailureCode } from '../core/errors.ts';
import { type Fault, isServerError } from '../core/fault.ts';
import type { PassivePolicy } from '../core/passive-health.ts';
import { LONGEST_REPORT } from '../core/reported-version.ts';
import type { TableUpstream } from '../core/table.ts';
import type { EnginePorts } from './contract.ts';
import type { Asked } from './retry.ts';

export type FaultPorts = Pick<EnginePorts, 'gauges' | 'onUpstreamFault'>;

/** The head of an answer came. On every request's way: nothing is allocated for it. */
export function noteAnswer(
  ports: FaultPorts,
  policy: PassivePolicy,
  { slot }: TableUpstream,
  status: number,
  clientIp: string,
): void {
  if (isServerError(status)) {
    noteAnswerFault(ports, policy, slot, 'server-error', clientIp);
    return;
  }
  ports.gauges.connected(slot);
  ports.gauges.answered(slot);
}

/** The answer says what the upstream runs: against what its version is. */
export function noteReport(
  { gauges, onUpstreamFault }: FaultPorts,
  { slot }: TableUpstream,
  reported: string,
  expected: string,
): void {
  if (reported === expected) gauges.reportedRight(slot);
  else if (gauges.reportedWrong(slot)) {
    onUpstreamFault({ slot, fault: 'wrong-version', reported: reported.slice(0, LONGEST_REPORT) });
  }
}

/** It failed before the head of an answer. */
export function noteFailure(
  ports: FaultPorts,
  policy: PassivePolicy,
  { slot }: TableUpstream,
  failed: { readonly failure: FailureCode; readonly clientIp: string } & Pick<
    Asked,
    'wasReused' | 'wasSilent'
  >,
): void {
  const { failure, clientIp, wasReused, wasSilent } = failed;
  switch (failure) {
    case 'connect-failed':
    case 'connect-timeout':
      if (isEnough(ports.gauges.connectFailed(slot), policy.connectFaults)) {
        ports.onUpstreamFault({ slot, fault: failure });
      }
      return;
    case 'upstream-reset':
      // An idle connection that was closed as the request went out tells nothing.
      if (!wasReused || !wasSilent) noteAnswerFault(ports, policy, slot, failure, clientIp);
      return;
    case 'upstream-timeout':
      noteAnswerFault(ports, policy, slot, failure, clientIp);
  }
}

function noteAnswerFault(
  { gauges, onUpstreamFault }: FaultPorts,
  { answerFaults }: PassivePolicy,
  slot: number,
  fault: Fault,
  clientIp: string,
): void {
  if (isEnough(gauges.answerFailed(slot, networkHash(clientIp)), answerFaults)) {
    onUpstreamFault({ slot, fault });
  }
}

function isEnough(inRow: number, threshold: number | null): boolean {
  return threshold !== null && inRow % threshold === 0;
}
