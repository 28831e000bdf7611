import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../kit/random.ts';
import { allowedRise, lineThrough } from '../../soak/slopes.ts';
import { figuresOf, type Vitals } from '../../soak/vitals.ts';

const over = (minutes: number, valueAt: (atMin: number) => number) =>
  Array.from({ length: minutes * 4 + 1 }, (_, n) => ({ atMin: n / 4, value: valueAt(n / 4) }));

describe('T21: a line through samples', () => {
  test.each([
    { name: 'that stay the same', valueAt: () => 7, perMinute: 0, rise: 0 },
    { name: 'that grow', valueAt: (atMin: number) => 100 + 3 * atMin, perMinute: 3, rise: 30 },
    { name: 'that shrink', valueAt: (atMin: number) => 100 - 3 * atMin, perMinute: -3, rise: -30 },
  ])('$name', ({ valueAt, perMinute, rise }) => {
    const line = lineThrough(over(10, valueAt));
    expect(line.perMinute).toBeCloseTo(perMinute, 9);
    expect(line.rise).toBeCloseTo(rise, 9);
  });

  test('that are noisy still tells a leak from noise', () => {
    const random = seededRandom(1);
    const noise = (): number => (random() - 0.5) * 20;
    expect(Math.abs(lineThrough(over(20, () => 100 + noise())).rise)).toBeLessThan(5);
    expect(lineThrough(over(20, (atMin) => 100 + 2 * atMin + noise())).rise).toBeGreaterThan(35);
  });

  test('needs two', () => {
    expect(() => lineThrough([{ atMin: 0, value: 1 }])).toThrow('two samples');
  });

  test('may rise by a fixed part and a share of its mean', () => {
    expect(allowedRise(200, { fixed: 10, share: 0.1 })).toBe(30);
  });
});

describe('T21: a process', () => {
  const MIB = 1_048_576;
  const still: Vitals = {
    rssBytes: 100 * MIB,
    heapBytes: 30 * MIB,
    bufferBytes: 8 * MIB,
    descriptors: 100,
    sockets: 80,
    timers: 1,
  };
  const during = (change: (atMin: number) => Partial<Vitals>) =>
    over(20, () => 0).map(({ atMin }) => ({ ...still, ...change(atMin), atMin }));
  const notFlat = (figures: ReturnType<typeof figuresOf>): string[] =>
    figures.filter(({ isFlat }) => !isFlat).map(({ name }) => name);

  test('that stays as it is is flat', () => {
    expect(
      notFlat(
        figuresOf(
          during(() => ({})),
          still,
          still,
        ),
      ),
    ).toEqual([]);
  });

  test.each<{ name: keyof Vitals; perMinute: number }>([
    { name: 'rssBytes', perMinute: 3 * MIB },
    { name: 'heapBytes', perMinute: MIB / 2 },
    { name: 'bufferBytes', perMinute: MIB / 3 },
    { name: 'descriptors', perMinute: 2 },
    { name: 'sockets', perMinute: 2 },
    { name: 'timers', perMinute: 1 },
  ])('whose $name grow under load is not', ({ name, perMinute }) => {
    const samples = during((atMin) => ({ [name]: still[name] + perMinute * atMin }));
    expect(notFlat(figuresOf(samples, still, still))).toEqual([name]);
  });

  test('whose rise was looked at for a minute only is not judged by it', () => {
    const samples = during((atMin) => ({ sockets: still.sockets + 40 * atMin })).filter(
      ({ atMin }) => atMin < 1,
    );
    expect(notFlat(figuresOf(samples, still, still))).toEqual([]);
  });

  test.each<{ name: keyof Vitals; by: number }>([
    { name: 'heapBytes', by: 26 * MIB },
    { name: 'descriptors', by: 1 },
    { name: 'sockets', by: 1 },
    { name: 'timers', by: 1 },
  ])('that keeps $name when everybody has left is not', ({ name, by }) => {
    const after = { ...still, [name]: still[name] + by };
    expect(
      notFlat(
        figuresOf(
          during(() => ({})),
          still,
          after,
        ),
      ),
    ).toEqual([name]);
  });
});
