// How talking to a runtime socket fails. `isUncertain`: commands may have been carried out all the same.

export type RuntimeFaultCode =
  /** Nobody listens there, or we may not. */
  | 'unreachable'
  /** It took the line, and said nothing in time. */
  | 'timeout'
  /** The answer ended before it was whole. */
  | 'cut'
  /** More than any answer has. */
  | 'too-large'
  /** Not what HAProxy says. */
  | 'garbage'
  /** HAProxy said no. */
  | 'refused'
  /** It said nothing against it, but reads otherwise. */
  | 'unverified';

export class RuntimeFault extends Error {
  readonly code: RuntimeFaultCode;
  readonly isUncertain: boolean;

  constructor(code: RuntimeFaultCode, message: string, isUncertain: boolean = code !== 'unreachable') {
    super(message);
    this.name = 'RuntimeFault';
    this.code = code;
    this.isUncertain = isUncertain;
  }
}

/** What a socket said, as it may stand in a line of ours. */
export function quoted(text: string): string {
  const line = text
    .trim()
    .split('\n', 1)[0]!
    .replace(/[^\x20-\x7e]/g, '?');
  return JSON.stringify(line.length > 120 ? `${line.slice(0, 117)}...` : line);
}
