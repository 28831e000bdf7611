// Waits for a condition, never for a length of time: polls, and says what it waited for when the time is up.
// The condition may be asynchronous and answers something truthy when it holds; what it throws counts as "not yet".

import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Ends the sentence "waited 5000 ms for …". */
  readonly what: string;
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 20 ms. */
  readonly everyMs?: number;
  /** Something may have changed when that resolves: the condition is looked at again at once. */
  readonly sooner?: () => Promise<unknown>;
}

/** What the condition answered when it held. Throws when it did not hold in time, with the last error as its cause. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 20, sooner }: WaitOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause });
    await (sooner === undefined ? sleep(everyMs) : pause(everyMs, sooner()));
  }
}

function pause(ms: number, sooner: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void sooner.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Rejects when the promise takes longer; for things that report by themselves. */
export async function within<T>(promise: Promise<T>, { what, timeoutMs = 10_000 }: WaitOptions): Promise<T> {
  const stop = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: stop.signal, ref: false }).then(
    () => Promise.reject(new Error(`waited ${timeoutMs} ms for ${what}`)),
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
