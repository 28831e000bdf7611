// What is counted of every request, in flat arrays: a request costs two look-ups and a few additions.
// Label values come from closed sets. A version is one that the gateway has now; any other counts as '', and what was
// counted of a deleted one leaves with it.

import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { ExchangeRecord } from '../core/exchange.ts';
import { REASONS, type Reason } from '../core/reasons.ts';
import { Buckets, type Sample } from './family.ts';

/** By the first digit of the status; 0 is no answer at all. */
const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const REASON_PLACE: ReadonlyMap<Reason, number> = new Map(REASONS.map((reason, place) => [reason, place]));
const CODES = Object.keys(FAILURES) as FailureCode[];

/** Between two scrapes; 2 kB each. */
const MOST_VERSIONS = 4_096;

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const GATEWAY_SECONDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1, 10,
];

interface VersionCounts {
  /** REASONS × STATUS_CLASSES */
  readonly requests: Float64Array;
  readonly seconds: Buckets;
}

export class ExchangeCounts {
  readonly #isKnown: (version: string) => boolean;
  readonly #others = newCounts();
  /** Unknown ids are here too, as #others, so that they are looked up once between two scrapes. */
  readonly #versions = new Map<string, VersionCounts>([['', this.#others]]);
  readonly #failures = new Map<FailureCode, number>(CODES.map((code) => [code, 0]));
  readonly #gateway = new Buckets(GATEWAY_SECONDS);
  #retries = 0;
  #strayPins = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(isKnown: (version: string) => boolean) {
    this.#isKnown = isKnown;
  }

  record(exchange: ExchangeRecord): void {
    const counts = this.#versions.get(exchange.version) ?? this.#add(exchange.version);
    const { status, failure } = exchange;
    const statusClass = status >= 100 && status < 600 ? Math.floor(status / 100) : 0;
    counts.requests[REASON_PLACE.get(exchange.reason)! * STATUS_CLASSES.length + statusClass]!++;
    // How long a WebSocket was open says nothing of how fast the application is.
    if (!exchange.isStream && exchange.totalMs >= 0) counts.seconds.observe(exchange.totalMs / 1_000);
    if (exchange.gatewayMs >= 0) this.#gateway.observe(exchange.gatewayMs / 1_000);
    if (failure !== null) this.#failures.set(failure, this.#failures.get(failure)! + 1);
    this.#retries += exchange.retries;
    if (exchange.decision?.hasStrayPins === true) this.#strayPins++;
    this.#bytesIn += exchange.bytesIn;
    this.#bytesOut += exchange.bytesOut;
  }

  /** Versions that are gone leave; ids that were unknown are looked at anew. */
  forgetUnknown(): void {
    for (const [version, counts] of this.#versions) {
      if (version !== '' && (counts === this.#others || !this.#isKnown(version)))
        this.#versions.delete(version);
    }
  }

  requests(): Sample[] {
    const samples: Sample[] = [];
    for (const [version, { requests }] of this.#own()) {
      for (const [place, value] of requests.entries()) {
        if (value === 0) continue;
        const reason = REASONS[Math.floor(place / STATUS_CLASSES.length)]!;
        const status = STATUS_CLASSES[place % STATUS_CLASSES.length]!;
        samples.push({ labels: { version, reason, status }, value });
      }
    }
    return samples;
  }

  requestSeconds(name: string): Sample[] {
    return this.#own().flatMap(([version, { seconds }]) => seconds.samples(name, { version }));
  }

  gatewaySeconds(name: string): Sample[] {
    return this.#gateway.samples(name, {});
  }

  refused(): Sample[] {
    return [...this.#failures].map(([code, value]) => ({ labels: { code }, value }));
  }

  retries(): Sample[] {
    return [{ labels: {}, value: this.#retries }];
  }

  strayPins(): Sample[] {
    return [{ labels: {}, value: this.#strayPins }];
  }

  bytes(): Sample[] {
    return [
      { labels: { direction: 'in' }, value: this.#bytesIn },
      { labels: { direction: 'out' }, value: this.#bytesOut },
    ];
  }

  #add(version: string): VersionCounts {
    if (this.#versions.size >= MOST_VERSIONS) return this.#others;
    const counts = this.#isKnown(version) ? newCounts() : this.#others;
    this.#versions.set(version, counts);
    return counts;
  }

  #own(): [string, VersionCounts][] {
    return [...this.#versions].filter(([version, counts]) => version === '' || counts !== this.#others);
  }
}

function newCounts(): VersionCounts {
  return {
    requests: new Float64Array(REASONS.length * STATUS_CLASSES.length),
    seconds: new Buckets(REQUEST_SECONDS),
  };
}
