// What the gateway says of the page's version: /.lockstep/version answers with it, /.lockstep/events sends it.

export interface Status {
  /** The newest version, once pages are to be told that there is one; null before. */
  readonly update: string | null;
  /** ISO 8601: when the page's version ends at the latest; null when nothing says so. */
  readonly endsAt: string | null;
  /** The page's version answers no more. */
  readonly gone: boolean;
  /** Whether the page, loaded again now, would be one of another version. */
  readonly moves: boolean;
}

/** Empty when it cannot be had. It is asked with the page's mark, as all else. */
export function askStatus(): Promise<Partial<Status>> {
  return fetch('/.lockstep/version')
    .then((answer) => answer.json())
    .catch(() => ({}));
}
