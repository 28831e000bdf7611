// For suites that show the same with one data-plane thread as with several.

/** The main thread itself, and two workers beside it. */
export const THREADS: readonly number[] = [1, 2];
