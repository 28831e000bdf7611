import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger } from '../../../src/core/sessions.ts';
import { LedgerModel } from './ledger-model.ts';

const START = Date.UTC(2026, 0, 15, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const IDLE = 30 * MINUTE;
const LONG_AGO = START - 9 * IDLE;
const [ANN, BOB, CAT] = ['annannannannanna', 'bobbobbobbobbobb', 'catcatcatcatcatc'] as const;
const [V1, V2, V3] = [1, 2, 3] as const;

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const SESSIONS = Array.from({ length: 8 }, (_, index) => `AAAAAAAAAAAAAAA${BASE64URL[index]}`);

const ledgerOf = (capacity = 100, idleMs = IDLE) => new Ledger({ capacity, idleMs, nowMs: START });
const at = (offsetMs: number) => START + offsetMs;

/** Ends the round under way and makes a whole one at this time. */
function sweepAll(ledger: Ledger, nowMs: number, sliceSlots = 1e9): void {
  while (ledger.sweptThroughMs !== nowMs) ledger.sweep(nowMs, sliceSlots);
}

/** In steps of a few slots. */
function histogramOf(
  ledger: Ledger,
  slot: number,
  nowMs: number,
  boundsSeconds: readonly number[],
): number[] {
  const histogram = ledger.histogram(slot, nowMs, boundsSeconds);
  while (!histogram.step(7));
  return histogram.counts;
}

describe('a pin that comes back', () => {
  test('makes a confirmed session of its version', () => {
    const ledger = ledgerOf();
    expect(ledger.touch(ANN, V1, LONG_AGO, at(0))).toBe(true);
    expect(ledger.counts(V1, at(0))).toEqual({ live: 1, confirmed: 1, streams: 0 });
    expect(ledger.counts(V2, at(0))).toEqual({ live: 0, confirmed: 0, streams: 0 });
  });

  test('counts once however often it comes', () => {
    const ledger = ledgerOf();
    for (let request = 0; request < 10; request++) ledger.touch(ANN, V1, LONG_AGO, at(request));
    expect(ledger.live(V1, at(10))).toBe(1);
  });

  test.each(['', 'short', 'seventeen-letters', 'annannannann nna', 'annannannannann='])(
    'is refused as "%s"',
    (id) => {
      const ledger = ledgerOf();
      expect(ledger.touch(id, V1, LONG_AGO, at(0))).toBe(false);
      ledger.repin(id, V1, at(0));
      ledger.busy(id, V1, at(0));
      ledger.streamOpened(id, V1, at(0));
      ledger.streamClosed(id, V1, at(0));
      expect([ledger.lastSeenMs(id), ledger.currentVersion(id), ledger.lastBusyMs(id)]).toEqual([
        null,
        null,
        null,
      ]);
      expect([ledger.size, ledger.overflow]).toEqual([0, 0]);
    },
  );

  test('throws for a version slot that is none', () => {
    expect(() => ledgerOf().touch(ANN, 65_536, LONG_AGO, at(0))).toThrow(RangeError);
  });

  test('counts on both versions while two tabs use them, each until its own tab is idle', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(ANN, V2, LONG_AGO, at(0));
    ledger.touch(ANN, V2, LONG_AGO, at(IDLE));
    sweepAll(ledger, at(IDLE + SECOND));
    expect([ledger.live(V1, at(IDLE + SECOND)), ledger.live(V2, at(IDLE + SECOND))]).toEqual([0, 1]);
    sweepAll(ledger, at(2 * IDLE + SECOND));
    expect(ledger.live(V2, at(2 * IDLE + SECOND))).toBe(0);
  });

  test('is live to the last ms of idle, and a sweep ends it within two ticks', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 10_000 }), (seenMs, idleMs) => {
        const ledger = ledgerOf(4, idleMs);
        ledger.touch(ANN, V1, LONG_AGO, at(seenMs));
        sweepAll(ledger, at(seenMs + idleMs));
        expect(ledger.confirmed(V1)).toBe(1);
        sweepAll(ledger, at(seenMs + idleMs + 201));
        expect(ledger.confirmed(V1)).toBe(0);
      }),
    );
  });

  test('is not made older by a clock that steps back', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(MINUTE));
    ledger.touch(ANN, V1, LONG_AGO, at(-MINUTE));
    expect(ledger.lastSeenMs(ANN)).toBe(at(MINUTE));
  });
});

describe('a mint', () => {
  test.each([
    { name: 'counts at once', idleMs: IDLE, later: 0, want: 1 },
    { name: 'counts for 60 s', idleMs: IDLE, later: 60 * SECOND, want: 1 },
    { name: 'counts until its whole second is over', idleMs: IDLE, later: 60_999, want: 1 },
    { name: 'is over one second later', idleMs: IDLE, later: 61 * SECOND, want: 0 },
    { name: 'counts for idle where that is shorter', idleMs: 10 * SECOND, later: 10 * SECOND, want: 1 },
    { name: 'is over after the shorter idle', idleMs: 10 * SECOND, later: 11 * SECOND, want: 0 },
    { name: 'is over after a day', idleMs: IDLE, later: 86_400 * SECOND, want: 0 },
    { name: 'counts when the clock stepped back', idleMs: IDLE, later: -30 * SECOND, want: 1 },
  ])('$name', ({ idleMs, later, want }) => {
    const ledger = ledgerOf(10, idleMs);
    ledger.mint(V1, at(100 * SECOND));
    expect(ledger.counts(V1, at(100 * SECOND + later))).toEqual({ live: want, confirmed: 0, streams: 0 });
  });

  test('becomes a confirmed session when its pin comes back, and counts once', () => {
    const ledger = ledgerOf();
    ledger.mint(V1, at(1500));
    ledger.mint(V1, at(1600));
    ledger.touch(ANN, V1, at(1500), at(9000));
    ledger.touch(ANN, V1, at(1500), at(9100));
    expect(ledger.counts(V1, at(9100))).toMatchObject({ live: 2, confirmed: 1 });
  });

  test('of another second stays when a pin comes back', () => {
    const ledger = ledgerOf();
    ledger.mint(V1, at(5000));
    ledger.touch(ANN, V1, at(1000), at(9000));
    expect(ledger.live(V1, at(9000))).toBe(2);
  });

  test('stays when a pin from before the start comes back', () => {
    const ledger = new Ledger({ capacity: 9, idleMs: IDLE, nowMs: at(500) });
    ledger.mint(V1, at(600));
    ledger.touch(ANN, V1, at(400), at(700));
    expect(ledger.live(V1, at(700))).toBe(2);
  });

  test('is not taken off by the second version of a session', () => {
    const ledger = ledgerOf();
    ledger.mint(V1, at(0));
    ledger.mint(V2, at(0));
    ledger.touch(ANN, V1, at(0), at(10));
    ledger.touch(ANN, V2, at(0), at(20));
    expect([ledger.live(V1, at(20)), ledger.live(V2, at(20))]).toEqual([1, 2]);
  });

  test('is counted never too few when the clock steps back', () => {
    const ledger = ledgerOf();
    ledger.mint(V1, at(100 * SECOND));
    ledger.mint(V1, at(50 * SECOND));
    expect(ledger.live(V1, at(100 * SECOND))).toBe(2);
  });

  test('a flood of them fills nothing and holds nothing', () => {
    const ledger = ledgerOf(10);
    for (let mint = 0; mint < 1_000_000; mint++) ledger.mint(V1, at(Math.floor(mint / 10)));
    const end = at(100 * SECOND);
    expect([ledger.size, ledger.overflow, ledger.lastFullMs]).toEqual([0, 0, null]);
    expect(ledger.touch(ANN, V1, LONG_AGO, end)).toBe(true);
    expect(ledger.live(V1, end)).toBeGreaterThanOrEqual(600_000);
    expect(ledger.live(V1, at(161 * SECOND))).toBe(1);
  });

  test('counts on however many versions mint at once', () => {
    const ledger = ledgerOf();
    const versions = Array.from({ length: 300 }, (_, index) => index + 1);
    for (const slot of versions) ledger.mint(slot, at(0));
    for (const slot of versions) expect(ledger.live(slot, at(0))).toBeGreaterThanOrEqual(1);
    const before = ledger.live(300, at(0));
    ledger.touch(ANN, 300, at(0), at(0));
    expect(ledger.counts(300, at(0))).toMatchObject({ live: before, confirmed: 1 });
    ledger.releaseVersion(300);
    for (const slot of versions) expect(ledger.live(slot, at(61 * SECOND))).toBe(0);
    // Room again once the minute is over.
    ledger.mint(V1, at(200 * SECOND));
    ledger.mint(300, at(200 * SECOND));
    expect([ledger.live(V1, at(200 * SECOND)), ledger.live(300, at(200 * SECOND))]).toEqual([1, 1]);
  });
});

describe('the current version', () => {
  test('is the first one a session came back on', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(ANN, V2, LONG_AGO, at(1));
    expect([ledger.currentVersion(ANN), ledger.currentVersion(BOB)]).toEqual([V1, null]);
  });

  test('is the one of the newest re-pin, whatever is touched late', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.repin(ANN, V2, at(1));
    ledger.touch(ANN, V1, LONG_AGO, at(2));
    expect(ledger.currentVersion(ANN)).toBe(V2);
    ledger.repin(ANN, V1, at(3));
    expect(ledger.currentVersion(ANN)).toBe(V1);
  });

  test('leaves the old version live for one more idle after a re-pin', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.repin(ANN, V2, at(MINUTE));
    sweepAll(ledger, at(MINUTE + IDLE));
    expect([ledger.live(V1, at(MINUTE + IDLE)), ledger.live(V2, at(MINUTE + IDLE))]).toEqual([1, 1]);
    sweepAll(ledger, at(MINUTE + IDLE + 300));
    expect(ledger.live(V1, at(MINUTE + IDLE + 300))).toBe(0);
  });

  test('leaves the old version to its end when it was idle before the re-pin, swept or not', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.repin(ANN, V2, at(IDLE + SECOND));
    sweepAll(ledger, at(IDLE + SECOND));
    expect([ledger.live(V1, at(IDLE + SECOND)), ledger.live(V2, at(IDLE + SECOND))]).toEqual([0, 1]);
  });

  test('is taken up by the next entry when the current one was reclaimed', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.repin(ANN, V2, at(0));
    ledger.touch(ANN, V1, LONG_AGO, at(IDLE));
    sweepAll(ledger, at(IDLE + SECOND));
    expect(ledger.currentVersion(ANN)).toBeNull();
    ledger.touch(ANN, V2, LONG_AGO, at(IDLE + SECOND));
    expect(ledger.currentVersion(ANN)).toBe(V2);
  });

  test('is not said to be the old one when the ledger has no room for the new one', () => {
    const ledger = ledgerOf(1);
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.repin(ANN, V2, at(1));
    expect([ledger.currentVersion(ANN), ledger.overflow]).toEqual([null, 1]);
  });
});

describe('busy', () => {
  test('is told for the session, whichever version it was on', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    expect(ledger.lastBusyMs(ANN)).toBeNull();
    ledger.busy(ANN, V1, at(500));
    ledger.busy(ANN, V3, at(700));
    ledger.touch(ANN, V2, LONG_AGO, at(900));
    expect(ledger.lastBusyMs(ANN)).toBe(at(700));
  });

  test('makes no entry', () => {
    const ledger = ledgerOf();
    ledger.busy(ANN, V1, at(0));
    expect([ledger.size, ledger.lastBusyMs(ANN)]).toEqual([0, null]);
  });
});

describe('an open stream', () => {
  test('keeps its session live however idle, and for one idle after it closed', () => {
    const ledger = ledgerOf();
    ledger.streamOpened(ANN, V1, at(0));
    sweepAll(ledger, at(9 * IDLE));
    expect(ledger.counts(V1, at(9 * IDLE))).toEqual({ live: 1, confirmed: 1, streams: 1 });
    ledger.streamClosed(ANN, V1, at(9 * IDLE));
    sweepAll(ledger, at(10 * IDLE));
    expect(ledger.counts(V1, at(10 * IDLE))).toEqual({ live: 1, confirmed: 1, streams: 0 });
    sweepAll(ledger, at(10 * IDLE + 300));
    expect(ledger.live(V1, at(10 * IDLE + 300))).toBe(0);
  });

  test('is counted with the others of its session', () => {
    const ledger = ledgerOf();
    for (let stream = 0; stream < 3; stream++) ledger.streamOpened(ANN, V1, at(0));
    ledger.streamClosed(ANN, V1, at(1));
    expect(ledger.counts(V1, at(1)).streams).toBe(2);
  });

  test('closes to no less than zero', () => {
    const ledger = ledgerOf();
    ledger.streamClosed(ANN, V1, at(0));
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.streamClosed(ANN, V1, at(0));
    expect(ledger.counts(V1, at(0))).toEqual({ live: 1, confirmed: 1, streams: 0 });
  });

  test('rather lives for ever than is lost among more than can be counted', () => {
    const ledger = ledgerOf();
    for (let stream = 0; stream < 40_000; stream++) ledger.streamOpened(ANN, V1, at(0));
    for (let stream = 0; stream < 39_999; stream++) ledger.streamClosed(ANN, V1, at(0));
    sweepAll(ledger, at(2 * IDLE));
    expect(ledger.live(V1, at(2 * IDLE))).toBe(1);
  });
});

describe('a full ledger', () => {
  test('refuses the new, keeps the known, and says so', () => {
    const ledger = ledgerOf(2);
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(BOB, V1, LONG_AGO, at(0));
    expect(ledger.touch(CAT, V1, LONG_AGO, at(50))).toBe(false);
    expect(ledger.touch(ANN, V1, LONG_AGO, at(60))).toBe(true);
    expect([ledger.overflow, ledger.lastFullMs, ledger.countingSinceMs]).toEqual([1, at(50), at(50)]);
    expect([ledger.size, ledger.capacity, ledger.confirmed(V1)]).toEqual([2, 2, 2]);
  });

  test('has room again after a sweep, and forgets the overflow one idle after the last refusal', () => {
    const ledger = ledgerOf(1);
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(BOB, V1, LONG_AGO, at(MINUTE));
    sweepAll(ledger, at(IDLE + SECOND));
    expect([ledger.size, ledger.overflow]).toEqual([0, 1]);
    sweepAll(ledger, at(IDLE + MINUTE + 1));
    expect(ledger.overflow).toBe(0);
    expect(ledger.countingSinceMs).toBe(at(MINUTE));
  });
});

describe('the sweep', () => {
  test('goes on in slices and tells the end of a round', () => {
    const ledger = ledgerOf(10);
    expect(ledger.sweptThroughMs).toBeNull();
    expect([ledger.sweep(at(1), 6), ledger.sweep(at(2), 6), ledger.sweep(at(3), 6)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(ledger.sweptThroughMs).toBe(at(1));
  });

  test('reclaims all that is idle in one round, however close it lies', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer(), (capacity, seed) => {
        const ledger = new Ledger({ capacity, idleMs: IDLE, nowMs: START, seed });
        for (let index = 0; index < capacity; index++)
          ledger.touch(SESSIONS[index % 8]!, 1 + index, LONG_AGO, at(0));
        expect(ledger.size).toBe(capacity);
        expect(ledger.sweep(at(IDLE + SECOND), 1e9)).toBe(true);
        expect(ledger.size).toBe(0);
      }),
    );
  });

  test('misses nothing when a version is released in the middle of its round', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
        fc.integer(),
        fc.nat(40),
        (isOld, seed, slice) => {
          const ledger = new Ledger({ capacity: isOld.length, idleMs: IDLE, nowMs: START, seed });
          const now = at(IDLE + SECOND);
          isOld.forEach((old, index) => {
            ledger.touch(`BBBBBBBBBBBBBBB${BASE64URL[index]}`, old ? V1 : V2, LONG_AGO, old ? at(0) : now);
          });
          ledger.sweep(now, slice);
          ledger.releaseVersion(V2);
          while (ledger.sweptThroughMs === null) ledger.sweep(now, 7);
          expect(ledger.size).toBe(0);
        },
      ),
    );
  });

  test('begins no second round in one call', () => {
    const ledger = ledgerOf(10);
    ledger.sweep(at(1), 10);
    expect(ledger.sweep(at(2), 1e9)).toBe(true);
    expect(ledger.sweptThroughMs).toBe(at(1));
  });
});

describe('idle', () => {
  test.each([
    { name: 'raised begins the count anew', idleMs: IDLE + 1, want: at(MINUTE) },
    { name: 'left as it is changes nothing', idleMs: IDLE, want: at(0) },
    { name: 'lowered changes nothing', idleMs: IDLE - 1, want: at(0) },
  ])('$name', ({ idleMs, want }) => {
    const ledger = ledgerOf();
    ledger.setIdle(idleMs, at(MINUTE));
    expect(ledger.countingSinceMs).toBe(want);
  });

  test('lowered ends sessions sooner', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.setIdle(MINUTE, at(0));
    sweepAll(ledger, at(MINUTE + SECOND));
    expect(ledger.live(V1, at(MINUTE + SECOND))).toBe(0);
  });
});

describe('the histogram', () => {
  test('counts live sessions of the version by the age of their last request', () => {
    const ledger = ledgerOf();
    const now = at(2 * IDLE);
    const ages = [0, 60, 61, 299, 301, 1800];
    ages.forEach((age, index) => {
      ledger.touch(`${index}nnannannannanna`, V1, LONG_AGO, now - age * SECOND);
    });
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(BOB, V2, LONG_AGO, now);
    expect(histogramOf(ledger, V1, now, [60, 300, 900])).toEqual([2, 2, 1, 1]);
    expect(histogramOf(ledger, V3, now, [60, 300, 900])).toEqual([0, 0, 0, 0]);
  });

  test('counts an open stream as seen now', () => {
    const ledger = ledgerOf();
    ledger.streamOpened(ANN, V1, at(0));
    expect(histogramOf(ledger, V1, at(9 * IDLE), [60])).toEqual([1, 0]);
  });
});

describe('a released version', () => {
  test('leaves nothing to the next one in its slot, and other versions alone', () => {
    const ledger = ledgerOf();
    ledger.touch(ANN, V1, LONG_AGO, at(0));
    ledger.touch(ANN, V2, LONG_AGO, at(0));
    ledger.streamOpened(BOB, V1, at(0));
    ledger.mint(V1, at(0));
    ledger.mint(V2, at(0));
    ledger.releaseVersion(V1);
    expect(ledger.counts(V1, at(0))).toEqual({ live: 0, confirmed: 0, streams: 0 });
    expect(ledger.counts(V2, at(0))).toEqual({ live: 2, confirmed: 1, streams: 0 });
    expect([ledger.size, ledger.lastSeenMs(BOB), ledger.currentVersion(ANN)]).toEqual([1, null, null]);
  });
});

test('a ledger of a million sessions takes at most 32 bytes for each, everything included', () => {
  expect(ledgerOf(1_000_000).bytes).toBeLessThanOrEqual(32_000_000);
});

const SLOTS = [V1, V2, V3];
const VERBS = ['mint', 'repin', 'busy', 'opened', 'closed', 'sweep', 'release', 'idle', 'died'] as const;
const anyStep = fc.record({
  verb: fc.oneof(
    { weight: 3, arbitrary: fc.constant('touch' as const) },
    { weight: 2, arbitrary: fc.constant('wait' as const) },
    { weight: 8, arbitrary: fc.constantFrom(...VERBS) },
  ),
  session: fc.constantFrom(...SESSIONS),
  slot: fc.constantFrom(...SLOTS),
  amount: fc.nat(40),
});
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
const anyRun = fc.record({
  capacity: fc.integer({ min: 1, max: 20 }),
  seed: fc.integer(),
  threads: fc.constantFrom(1, 3),
  steps: fc.array(anyStep, { maxLength: 150 }),
});

/** The ledger's clock: at whole ticks it must agree with the model exactly. */
const TICK = 100;

/** Does the same to ledger and model. With several threads each step is another one's; a stream is always the same's. */
class Run {
  readonly ledger: Ledger;
  /** Whose turn it is next; the first one's streams are those of the session in SESSIONS[0], [3] and so on. */
  #threads: Ledger[];
  #turn = 0;
  readonly model: LedgerModel;
  readonly firstMs = new Map<string, number>();
  nowMs = START;

  constructor({ capacity, seed, threads }: { capacity: number; seed: number; threads: number }) {
    this.ledger = new Ledger({ capacity, idleMs: 20 * TICK, nowMs: START, seed, threads });
    this.#threads =
      threads === 1 ? [this.ledger] : [0, 1, 2].map((of) => Ledger.attach(this.ledger.handle, of));
    this.model = new LedgerModel(capacity, 20 * TICK, START);
  }

  apply({ verb, session, slot, amount }: Step): void {
    const { model, nowMs } = this;
    const control = this.ledger;
    const ledger = this.#threads[this.#turn++ % this.#threads.length]!;
    const streamThread = SESSIONS.indexOf(session) % this.#threads.length;
    const streamLedger = this.#threads[streamThread]!;
    switch (verb) {
      case 'touch': {
        const firstMs = this.firstMs.get(session) ?? LONG_AGO;
        const wanted = model.touch(session, slot, firstMs, nowMs);
        expect(ledger.touch(session, slot, firstMs, nowMs)).toBe(wanted);
        return;
      }
      case 'mint':
        if (!this.firstMs.has(session)) this.firstMs.set(session, nowMs);
        model.mint(slot, nowMs);
        ledger.mint(slot, nowMs);
        return;
      case 'repin':
        model.repin(session, slot, nowMs);
        ledger.repin(session, slot, nowMs);
        return;
      case 'busy':
        model.busy(session, slot, nowMs);
        ledger.busy(session, slot, nowMs);
        return;
      case 'opened':
        model.streamOpened(session, slot, nowMs);
        streamLedger.streamOpened(session, slot, nowMs);
        return;
      case 'closed':
        model.streamClosed(session, slot, nowMs);
        streamLedger.streamClosed(session, slot, nowMs);
        return;
      case 'died':
        if (this.#threads.length === 1 || amount > 9) return;
        for (const [index, one] of SESSIONS.entries()) {
          if (index % this.#threads.length === streamThread) model.closeAllStreams(one, nowMs);
        }
        control.zeroThread(streamThread, nowMs);
        this.#threads[streamThread] = Ledger.attach(control.handle, streamThread);
        return;
      case 'wait':
        this.nowMs += amount * TICK;
        return;
      case 'release':
        // Rare, or nothing would ever fill up.
        if (amount > 4) return;
        model.release(slot);
        control.releaseVersion(slot);
        return;
      case 'idle':
        if (amount > 9) return;
        model.setIdle((10 + amount) * TICK, nowMs);
        control.setIdle((10 + amount) * TICK, nowMs);
        return;
      case 'sweep':
        this.sweepWhole(amount + 1);
        return;
    }
  }

  /** In slices, until a round that began now is through. */
  sweepWhole(sliceSlots: number): void {
    this.model.reclaim(this.nowMs);
    let rounds = 0;
    while (rounds < 2) if (this.ledger.sweep(this.nowMs, sliceSlots)) rounds++;
    expect(this.ledger.sweptThroughMs).toBe(this.nowMs);
  }
}

describe('the ledger and a plain map', () => {
  test('agree on everything, tick by tick, while sweeps are whole', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(anyRun, ({ steps, ...given }) => {
        const run = new Run(given);
        const { ledger, model } = run;
        for (const step of steps) {
          run.apply(step);
          expect(ledger.size).toBe(model.entries.length);
          expect(ledger.countingSinceMs).toBe(model.countingSinceMs);
          for (const slot of SLOTS) {
            const confirmed = model.confirmed(slot);
            const live = confirmed + model.liveMints(slot, run.nowMs);
            expect(ledger.counts(slot, run.nowMs)).toEqual({ live, confirmed, streams: model.streams(slot) });
          }
          for (const session of SESSIONS) {
            const entries = model.of(session);
            const latest = (times: (number | null)[]) =>
              times.reduce((a, b) => (b !== null && b >= (a ?? b) ? b : a), null);
            expect(ledger.lastSeenMs(session)).toBe(latest(entries.map((entry) => entry.seenMs)));
            expect(ledger.lastBusyMs(session)).toBe(latest(entries.map((entry) => entry.busyMs)));
            expect(ledger.currentVersion(session)).toBe(
              entries.find((entry) => entry.isCurrent)?.slot ?? null,
            );
          }
        }
      }),
      { numRuns: 600 },
    );
  });

  test('differ by no session too few while sweeps go on in slices, and by none after a whole round', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(anyRun, ({ steps, ...given }) => {
        // Room for all: what is refused depends on how far the sweep is.
        const run = new Run({ ...given, capacity: SESSIONS.length * SLOTS.length });
        const { ledger, model } = run;
        for (const step of steps) {
          // What is idle may be reclaimed in the ledger or not: it must make no difference to what is live.
          model.reclaim(run.nowMs);
          if (step.verb === 'sweep') ledger.sweep(run.nowMs, step.amount);
          else if (step.verb !== 'idle') run.apply(step);
          for (const slot of SLOTS) {
            expect(ledger.confirmed(slot)).toBeGreaterThanOrEqual(model.confirmed(slot));
          }
          for (const session of SESSIONS) {
            const current = model.of(session).find((entry) => entry.isCurrent);
            if (current !== undefined) expect(ledger.currentVersion(session)).toBe(current.slot);
            if (current !== undefined)
              expect(ledger.lastSeenMs(session)).toBeGreaterThanOrEqual(current.seenMs);
          }
        }
        run.sweepWhole(3);
        expect(SLOTS.map((slot) => ledger.confirmed(slot))).toEqual(
          SLOTS.map((slot) => model.confirmed(slot)),
        );
      }),
      { numRuns: 600 },
    );
  });
});
