// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
// One line of a HAProxy configuration, cut into words as HAProxy does (configuration.txt, sections 2.2 and 2.3): blanks
// separate, # begins a comment, \ escapes, '…' keeps everything, "…" keeps all but \ and $VARIABLES. Variables are
// expanded inside double quotes only. There is no continuation of lines: a backslash at the end is a backslash.

export interface Variables {
  /** Null when it is not set. */
  read(name: string): string | null;
}

export type SplitLine =
  | {
      readonly ok: true;
      readonly words: readonly string[];
      /** Variables without a value, and without a default in their place. */
      readonly unset: readonly string[];
    }
  | { readonly ok: false; readonly column: number; readonly message: string; readonly advice: string };

const BLANK = /[ \t\v\f]/;
const PLAIN_ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\', ' ': ' ' };

export function splitWords(line: string, variables: Variables): SplitLine {
  return new LineSplitter(line, variables).split();
}

/** In addresses HAProxy expands variables without quotes too: `bind *:$PORT`. */
export function expandAddress(
  text: string,
  variables: Variables,
): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const expanded = text.replace(/\$(?:\{(\w*)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
    const name = (braced ?? bare)!;
    const value = variables.read(name);
    if (value === null) unset.push(name);
    return value ?? '';
  });
  return { text: expanded, unset };
}

class LineSplitter {
  readonly #line: string;
  readonly #variables: Variables;
  readonly #words: string[] = [];
  readonly #unset: string[] = [];
  #at = 0;
  /** Null between words; an empty pair of quotes is a word too. */
  #word: string | null = null;
  #quote: '"' | "'" | null = null;
  #quotedAt = 0;

  constructor(line: string, variables: Variables) {
    this.#line = line;
    this.#variables = variables;
  }

  split(): SplitLine {
    while (this.#at < this.#line.length) {
      const char = this.#line[this.#at]!;
      if (char === '\r' || char === '\n' || (char === '#' && this.#quote === null)) break;
      const fault = this.#take(char);
      if (fault !== null) return { ok: false, ...fault };
    }
    if (this.#quote !== null) {
      const message = `expected the quote ${this.#quote} at column ${this.#quotedAt + 1} to be closed, got the end of the line`;
      return {
        ok: false,
        column: this.#quotedAt + 1,
        message,
        advice: 'close it; lines cannot be continued',
      };
    }
    this.#endWord();
    return { ok: true, words: this.#words, unset: this.#unset };
  }

  #take(char: string): Fault | null {
    if (this.#quote === "'") {
      if (char === "'") this.#quote = null;
      else this.#word = (this.#word ?? '') + char;
      this.#at++;
      return null;
    }
    if (char === '"' || (char === "'" && this.#quote === null)) {
      if (this.#quote === null) {
        this.#word ??= '';
        this.#quotedAt = this.#at;
      }
      this.#quote = this.#quote === null ? char : null;
      this.#at++;
      return null;
    }
    if (char === '\\') return this.#takeEscape();
    if (char === '$' && this.#quote === '"') return this.#takeVariable();
    if (this.#quote === null && BLANK.test(char)) this.#endWord();
    else this.#word = (this.#word ?? '') + char;
    this.#at++;
    return null;
  }

  #takeEscape(): Fault | null {
    const next = this.#line[this.#at + 1] ?? '';
    const isQuoted = this.#quote === '"';
    if (next === 'x') {
      const hex = this.#line.slice(this.#at + 2, this.#at + 4);
      if (!/^[0-9a-f]{2}$/i.test(hex)) {
        return this.#fault(
          'expected two hexadecimal digits after \\x',
          'write \\\\x for the characters themselves',
        );
      }
      this.#word = (this.#word ?? '') + String.fromCharCode(Number.parseInt(hex, 16));
      this.#at += 4;
      return null;
    }
    const plain = PLAIN_ESCAPES[next];
    const taken =
      plain ?? (next === '#' || next === "'" || next === '"' || (next === '$' && isQuoted) ? next : null);
    // Any other pair, \1 or \. of a pattern, stays as it is.
    this.#word = (this.#word ?? '') + (taken ?? '\\');
    this.#at += taken === null ? 1 : 2;
    return null;
  }

  /** `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}` */
  #takeVariable(): Fault | null {
    const rest = this.#line.slice(this.#at);
    const match = /^\$(?:\{(\.?[A-Za-z_]\w*)(\[\*\])?(?:-([^}]*))?\}|(\.?[A-Za-z_]\w*))/.exec(rest);
    if (match === null) {
      return this.#fault(
        'expected the name of a variable after $',
        'write "${NAME}" or "${NAME-default}"; a dollar sign of your own is \\$, or stands in single quotes',
      );
    }
    const [whole, braced, isList, fallback, bare] = match;
    const name = (braced ?? bare)!;
    const value = this.#variables.read(name) ?? fallback ?? null;
    if (value === null) this.#unset.push(name);
    if (isList === undefined) this.#word = (this.#word ?? '') + (value ?? '');
    else this.#takeList(value ?? '');
    this.#at += whole.length;
    return null;
  }

  /** Each blank in the value begins another word. */
  #takeList(value: string): void {
    const [first, ...others] = value.split(/\s+/);
    if (value.trim() === '') {
      if (this.#word === '') this.#word = null;
      return;
    }
    this.#word = (this.#word ?? '') + first!;
    for (const other of others) {
      this.#endWord();
      this.#word = other === '' ? null : other;
    }
  }

  #endWord(): void {
    if (this.#word !== null) this.#words.push(this.#word);
    this.#word = null;
  }

  #fault(message: string, advice: string): Fault {
    return { column: this.#at + 1, message: `${message} at column ${this.#at + 1}`, advice };
  }
}

interface Fault {
  readonly column: number;
  readonly message: string;
  readonly advice: string;
}
