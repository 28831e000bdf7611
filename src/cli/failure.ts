// How a command ends that did not do what it was asked: an exit code, what happened, and what to do about it.
// Exit codes are the contract's: 0 done, 1 refused or failed, 2 bad usage, 3 timed out.

export const EXIT = { done: 0, failed: 1, usage: 2, timedOut: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class CommandFailure extends Error {
  readonly exitCode: ExitCode;
  readonly advice: string;

  constructor(exitCode: ExitCode, what: string, advice: string) {
    super(what);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** Nobody answers, or nobody who can just now: trying again may help. */
export class Unreachable extends CommandFailure {
  constructor(what: string, advice: string) {
    super(EXIT.failed, what, advice);
  }
}

export function usageFailure(what: string, verb: string | null): CommandFailure {
  return new CommandFailure(EXIT.usage, what, `see: lockstep ${verb === null ? '--help' : `${verb} --help`}`);
}
