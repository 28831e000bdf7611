// What all threads have counted of requests, added up when Prometheus asks.

import type { FailureCode } from '../core/errors.ts';
import { REASONS, type Reason } from '../core/reasons.ts';
import {
  CODES,
  CountCells,
  type CountSums,
  GATEWAY_SECONDS,
  REASON_PLACE,
  REQUEST_SECONDS,
  STATUS_CLASSES,
} from './count-cells.ts';
import { Buckets, type Sample } from './family.ts';

interface VersionTotals {
  readonly requests: Float64Array;
  readonly seconds: Buckets;
}

export class ExchangeTotals {
  readonly #threads: readonly CountCells[];

  /** `buffers`: what each thread counts into. */
  constructor(buffers: readonly SharedArrayBuffer[]) {
    this.#threads = buffers.map((buffer) => new CountCells(buffer));
  }

  requests(): Sample[] {
    const samples: Sample[] = [];
    for (const [version, { requests }] of this.#versions()) {
      for (const [place, value] of requests.entries()) {
        if (value === 0) continue;
        const reason = REASONS[Math.floor(place / STATUS_CLASSES.length)]!;
        const status = STATUS_CLASSES[place % STATUS_CLASSES.length]!;
        samples.push({ labels: { version, reason, status }, value });
      }
    }
    return samples;
  }

  /** Requests of all versions, and those of them with that reason. */
  count(reason: Reason): { readonly all: number; readonly ofReason: number } {
    let all = 0;
    let ofReason = 0;
    const from = REASON_PLACE.get(reason)! * STATUS_CLASSES.length;
    for (const [, { requests }] of this.#versions()) {
      for (const [place, value] of requests.entries()) {
        all += value;
        if (place >= from && place < from + STATUS_CLASSES.length) ofReason += value;
      }
    }
    return { all, ofReason };
  }

  requestSeconds(name: string): Sample[] {
    return [...this.#versions()].flatMap(([version, { seconds }]) => seconds.samples(name, { version }));
  }

  gatewaySeconds(name: string): Sample[] {
    const sum = new Buckets(GATEWAY_SECONDS);
    for (const { gateway } of this.#threads) sum.add(gateway);
    return sum.samples(name, {});
  }

  refused(): Sample[] {
    const all = (code: FailureCode) => this.#threads.reduce((sum, thread) => sum + thread.failures(code), 0);
    return CODES.map((code) => ({ labels: { code }, value: all(code) }));
  }

  retries(): Sample[] {
    return [{ labels: {}, value: this.#sum('retries') }];
  }

  strayPins(): Sample[] {
    return [{ labels: {}, value: this.#sum('strayPins') }];
  }

  bytes(): Sample[] {
    return [
      { labels: { direction: 'in' }, value: this.#sum('bytesIn') },
      { labels: { direction: 'out' }, value: this.#sum('bytesOut') },
    ];
  }

  #sum(which: keyof CountSums): number {
    return this.#threads.reduce((sum, { sums }) => sum + sums[which], 0);
  }

  #versions(): ReadonlyMap<string, VersionTotals> {
    const totals = new Map<string, VersionTotals>();
    for (const thread of this.#threads) {
      for (const [version, { requests, seconds }] of thread.versions()) {
        const total = totals.get(version) ?? emptyTotals();
        totals.set(version, total);
        for (const [place, value] of requests.entries()) total.requests[place]! += value;
        total.seconds.add(seconds);
      }
    }
    return totals;
  }
}

function emptyTotals(): VersionTotals {
  return {
    requests: new Float64Array(REASONS.length * STATUS_CLASSES.length),
    seconds: new Buckets(REQUEST_SECONDS),
  };
}
