// Where something stands in HAProxy's files, and what is said of it there. Everything that the import tells bears a
// place, so that an operator can go and look.

export interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * left-out: Lockstep does not do it; changed: it does it otherwise; covered: it does it by itself; assumed: the file
 * alone does not say, so this was taken for granted.
 */
export type NoteKind = 'left-out' | 'changed' | 'covered' | 'assumed';

export interface Note extends Place {
  readonly kind: NoteKind;
  /** The keyword, never its values: those may be passwords. */
  readonly what: string;
  readonly why: string;
}

/** What keeps the files from being imported. */
export interface ImportProblem extends Place {
  readonly message: string;
  readonly advice: string;
}

export class Findings {
  readonly notes: Note[] = [];
  readonly problems: ImportProblem[] = [];
  readonly #told = new Set<string>();
  readonly #done = new Set<string>();

  /** Once for each place and reason: what stands in `defaults` is met by many sections. */
  note({ file, line }: Place, kind: NoteKind, what: string, why: string): void {
    const key = JSON.stringify([file, line, what, why]);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.notes.push({ file, line, kind, what, why });
    if (kind !== 'assumed') this.#done.add(formatPlace({ file, line }));
  }

  /** What stands there is in the printed configuration, or decided what is. */
  carry(place: Place): void {
    this.#done.add(formatPlace(place));
  }

  /** Carried over, or told of. */
  isDone(place: Place): boolean {
    return this.#done.has(formatPlace(place));
  }

  problem({ file, line }: Place, message: string, advice: string): void {
    this.problems.push({ file, line, message, advice });
  }
}

export function formatPlace({ file, line }: Place): string {
  return `${file}:${line}`;
}
