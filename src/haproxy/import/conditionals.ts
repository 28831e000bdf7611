// The nested `.if/.elif/.else/.endif` of one file, and the messages `.alert`, `.warning`, `.notice` and `.diag`.

import { ASSUMED_VERSION, judgeCondition } from './conditions.ts';
import type { Findings, Place } from './place.ts';
import type { Variables } from './words.ts';

interface Level {
  readonly place: Place;
  /** The blocks around it are taken. */
  readonly isOuterTaken: boolean;
  /** This block is taken; no later one of the level is when one was. */
  isTaken: boolean;
  wasTaken: boolean;
  hasElse: boolean;
}

export class Conditionals {
  readonly #variables: Variables;
  readonly #findings: Findings;
  readonly #levels: Level[] = [];

  constructor(variables: Variables, findings: Findings) {
    this.#variables = variables;
    this.#findings = findings;
  }

  get isTaken(): boolean {
    return this.#levels.at(-1)?.isTaken ?? true;
  }

  /** False when the line is none of its own. */
  take(place: Place, [directive = '', ...words]: readonly string[]): boolean {
    if (!directive.startsWith('.')) return false;
    switch (directive) {
      case '.if':
        this.#begin(place, words);
        return true;
      case '.elif':
      case '.else':
        this.#turn(place, directive, words);
        return true;
      case '.endif':
        if (this.#levels.pop() === undefined) this.#stray(place, directive);
        return true;
      case '.alert':
        // HAProxy itself refuses such a configuration.
        if (this.isTaken) {
          this.#findings.problem(
            place,
            `.alert says ${JSON.stringify(words.join(' '))}`,
            'do what it asks for',
          );
        }
        return true;
      case '.warning':
      case '.notice':
      case '.diag':
        return true;
      default:
        if (this.isTaken) {
          const advice = 'conditional blocks are .if, .elif, .else and .endif';
          this.#findings.problem(place, `expected a directive that HAProxy has, got ${directive}`, advice);
        }
        return true;
    }
  }

  /** At the end of the file. */
  end(place: Place): void {
    for (const { place: begun } of this.#levels) {
      const message = `expected .endif for the .if of line ${begun.line}, got the end of the file`;
      this.#findings.problem(place, message, 'close it in the same file');
    }
  }

  #begin(place: Place, words: readonly string[]): void {
    const isOuterTaken = this.isTaken;
    const isTaken = isOuterTaken && this.#judge(place, words);
    this.#levels.push({ place, isOuterTaken, isTaken, wasTaken: isTaken, hasElse: false });
  }

  #turn(place: Place, directive: '.elif' | '.else', words: readonly string[]): void {
    const level = this.#levels.at(-1);
    if (level === undefined || level.hasElse) {
      this.#stray(place, directive);
      return;
    }
    const isOpen = level.isOuterTaken && !level.wasTaken;
    level.isTaken = isOpen && (directive === '.else' || this.#judge(place, words));
    level.wasTaken ||= level.isTaken;
    level.hasElse = directive === '.else';
  }

  #judge(place: Place, words: readonly string[]): boolean {
    const answer = judgeCondition(words, this.#variables);
    if (answer === null) {
      // Not shown: what variables became may be a secret.
      const message = 'expected a condition that can be judged without HAProxy, got another';
      this.#findings.problem(place, message, 'write 1 or 0 in its place, in a copy of the file');
      return false;
    }
    for (const assumed of answer.assumed) {
      this.#findings.note(
        place,
        'assumed',
        '.if',
        `${assumed}, as in HAProxy ${ASSUMED_VERSION} of Debian 12`,
      );
    }
    return answer.isTrue;
  }

  #stray(place: Place, directive: string): void {
    this.#findings.problem(
      place,
      `expected ${directive} after .if, got it alone`,
      'remove it, or add the .if',
    );
  }
}
