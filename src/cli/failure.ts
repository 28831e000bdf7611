// How a command ends that did not do what it was asked: an exit code, what happened, and what to do about it.
// Exit codes are the contract's: 0 done, 1 refused or failed, 2 bad usage, 3 timed out.

export const EXIT = { done: 0, failed: 1, usage: 2, timedOut: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const CODES: Readonly<Record<ExitCode, string>> = { 0: 'done', 1: 'failed', 2: 'usage', 3: 'timed-out' };

export class CommandFailure extends Error {
  readonly exitCode: ExitCode;
  readonly advice: string;
  /** Stable, for programs: the admin API's own where it refused. */
  readonly code: string;

  constructor(exitCode: ExitCode, what: string, advice: string, code = CODES[exitCode]) {
    super(what);
    this.exitCode = exitCode;
    this.advice = advice;
    this.code = code;
  }
}

/** Nobody answers, or nobody who can just now: trying again may help. */
export class Unreachable extends CommandFailure {
  constructor(what: string, advice: string, code = 'unreachable') {
    super(EXIT.failed, what, advice, code);
  }
}

export function usageFailure(what: string, verb: string | null): CommandFailure {
  return new CommandFailure(EXIT.usage, what, `see: lockstep ${verb === null ? '--help' : `${verb} --help`}`);
}
