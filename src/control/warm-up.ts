// The warm-up of one change: what has to be warm before it may be made, and what comes of trying.
// A change is judged in the controller's queue, warmed up outside of it (that may take minutes, and a rollback must not
// wait for it), and judged again in the queue, by what is so then. An upstream that appeared meanwhile is warmed up too.
// When another version became active meanwhile, the change is refused: who ordered that one knew nothing of this.

import type { Change, Deployment } from '../core/deployment.ts';
import { formatDuration } from '../core/duration.ts';
import type { WarmPolicy } from '../core/policy.ts';
import { type Refused, refuse } from '../core/problem.ts';
import type { WarmUpReport } from '../core/status.ts';
import { upstreamsToWarm, warmPolicyOf } from '../core/warm.ts';
import type { Warmer, WarmRow } from './warmer.ts';

/** Of the rows of a refusal; the rest is a number. */
const TOLD_ROWS = 3;

export interface WarmUpPorts {
  readonly warmer: Pick<Warmer, 'warm'>;
  readonly policy: () => WarmPolicy | null;
  /** It was found healthy: one that is down is not asked, and not waited for. */
  readonly isUp: (version: string, address: string) => boolean;
}

export class WarmUp {
  readonly #ports: WarmUpPorts;
  readonly #change: Change;
  readonly #warmed = new Set<string>();
  #cold: readonly string[] = [];
  #first: Deployment | null = null;

  constructor(change: Change, ports: WarmUpPorts) {
    this.#change = change;
    this.#ports = ports;
  }

  #policy(): WarmPolicy | null {
    return warmPolicyOf(this.#change, this.#ports.policy());
  }

  /** In the queue, of a change that is legal: `cold` says that run() comes first. */
  judge(before: Deployment, next: Deployment): 'ready' | 'cold' | Refused {
    const policy = this.#policy();
    if (policy === null || this.#change.verb !== 'promote') return 'ready';
    const { id } = this.#change;
    if (this.#first !== null && this.#first.active !== before.active) {
      return refuse(
        'superseded',
        `While ${id} was warmed up, ${before.active} became active. Promote ${id} again if it is still to take over.`,
      );
    }
    this.#first ??= before;
    const { isUp } = this.#ports;
    this.#cold = upstreamsToWarm(this.#change, before, next).filter(
      (address) => isUp(id, address) && !this.#warmed.has(address),
    );
    return this.#cold.length > 0 ? 'cold' : 'ready';
  }

  /** What a dry run tells, or what was done; null when nothing was to be warmed up. */
  report(): WarmUpReport | null {
    const policy = this.#policy();
    const upstreams = [...this.#warmed, ...this.#cold];
    return policy === null || upstreams.length === 0 ? null : { paths: policy.paths, upstreams };
  }

  /** Outside of the queue. Null when all is warm; what to refuse the change with when not. */
  async run(leave: AbortSignal = new AbortController().signal): Promise<Refused | null> {
    const policy = this.#policy();
    if (policy === null || this.#change.verb !== 'promote') return null;
    const { id } = this.#change;
    const addresses = this.#cold;
    const { end, rows } = await this.#ports.warmer.warm(id, addresses, policy, leave);
    switch (end) {
      case 'warm':
        for (const address of addresses) this.#warmed.add(address);
        this.#cold = [];
        return null;
      case 'cold':
        return refuse('not-warm', describeCold(id, rows, policy));
      case 'called-off':
        return leave.aborted
          ? refuse('caller-left', `Who asked to promote ${id} left while it was warmed up.`)
          : refuse('stopping', `This gateway stops; ${id} was not promoted.`);
      default:
        return end satisfies never;
    }
  }
}

function describeCold(id: string, rows: readonly WarmRow[], policy: WarmPolicy): string {
  const cold = rows.filter(({ state }) => state !== 'warm');
  const told = cold.slice(0, TOLD_ROWS).map(describeRow);
  const more = cold.length > TOLD_ROWS ? `, and ${cold.length - TOLD_ROWS} more` : '';
  return (
    `${id} is not warm: ${told.join('; ')}${more}. Wanted is a p95 of ${formatDuration(policy.p95Ms)} ` +
    'without errors. Promote again when that is so, or use force.'
  );
}

function describeRow({ address, path, requests, errors, p95Ms }: WarmRow): string {
  const p95 = p95Ms === null ? 'no good answer' : `p95 ${Math.round(p95Ms)} ms`;
  const failed = errors === 0 ? '' : `, ${errors} of the latest failed`;
  return `${address}${path} has ${p95}${failed} after ${requests} request${requests === 1 ? '' : 's'}`;
}
