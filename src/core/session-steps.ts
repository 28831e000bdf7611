// What a thread is in the middle of that must not stay half done, in shared memory: when the thread has ended there, the control
// thread finishes it or takes it back.
// V8 ends a thread where a function is entered, those of Atomics among them, and where a loop goes round: of 400 that were ended
// in a loop of such steps, 117 had stopped between two Atomics of one line, and none between one of them and the plain
// writes behind it. So each step is noted by plain writes behind the Atomics that took it, in place, without a call.

/** Words of a thread, on a cache line of its own. */
const THREAD_BYTES = 64;
// Offsets: what it does, and to what.
export const DOING = 0;
export const AT = 1;
export const VERSION = 2;
// What it does, by what is done of it.
export const NOTHING = 0;
/** The entry whose words begin at AT is held. */
export const HOLDS_ENTRY = 1;
/** And counted among all. */
export const SIZED_ENTRY = 2;
/** And among those of VERSION. */
export const CONFIRMED_ENTRY = 3;
/** A stream of VERSION is counted at its entry and noted. */
export const OPENED_STREAM = 4;
/** A stream of VERSION is not noted any more; AT is the META of its entry. */
export const ENDS_STREAM = 5;
/** And not counted for VERSION. */
export const UNCOUNTED_STREAM = 6;
/** The ring at AT is locked. */
export const LOCKED_RING = 7;

export function stepsByteLength(threads: number): number {
  // One more for the control thread, whose own never need finishing.
  return (threads + 1) * THREAD_BYTES;
}

export function stepsOf(buffer: SharedArrayBuffer, byteOffset: number, thread: number): Int32Array {
  return new Int32Array(buffer, byteOffset + thread * THREAD_BYTES, VERSION + 1);
}
