// New keys for pins, taken over by threads that do so one after the other: a pin that one thread signs must verify in all
// others at that moment. So they verify with a key before any signs with it, and sign with it before they forget another.

/** What to go through, each step in force in every thread before the next; the last one says what `next` says. */
export function keySteps(old: readonly string[], next: readonly string[]): readonly (readonly string[])[] {
  const joined = [...old, ...next.filter((key) => !old.includes(key))];
  const signing = [...next, ...old.filter((key) => !next.includes(key))];
  const steps: (readonly string[])[] = [];
  for (const step of [joined, signing, next]) if (!isSame(step, steps.at(-1) ?? old)) steps.push(step);
  return steps.length === 0 ? [next] : steps;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((key, at) => key === other[at]);
}
