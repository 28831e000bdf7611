// The YAML file as plain values, each with the line it stands on, and with ${ENV} expanded in its texts.
// Rules: every fault is told and the rest is still read, so that all problems come at once. What stands in for a faulty
// value is FAULTY; nobody complains about it twice. No message repeats the file's text: it may be a secret.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLError,
} from 'yaml';
import { expandText } from './expand.ts';
import { type ConfigProblem, formatKey, type Path } from './problems.ts';

/** Stands in the tree where a problem was already told. */
export const FAULTY: unique symbol = Symbol('faulty');

export interface Source {
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Line of a key or list item, or of the nearest one around it. */
  lineOf(path: Path): number;
  /** The text as the file has it, where an environment variable was put in; else null. */
  unexpanded(path: Path): string | null;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration is a page or two; more than that many values is an alias bomb. */
const MOST_VALUES = 20_000;
const DEEPEST = 32;
const LONGEST_FILE = 1_048_576;
const UNKNOWN_ALIAS =
  'an alias (*name) without an anchor (&name) before it; put text that starts with * in quotes';

export function readSource(yaml: string, file: string, env: Environment): Source {
  const tree = new Tree(file, env);
  if (yaml.length > LONGEST_FILE) {
    tree.tell([], `expected a file of at most 1 MiB, got ${yaml.length} characters`, 1);
    return { ...tree.source(), value: FAULTY };
  }
  return { ...tree.source(), value: tree.read(yaml) };
}

class Tree {
  readonly #file: string;
  readonly #env: Environment;
  readonly #lineCounter = new LineCounter();
  readonly #problems: ConfigProblem[] = [];
  readonly #lines = new Map<string, number>();
  readonly #unexpanded = new Map<string, string>();
  #values = 0;

  constructor(file: string, env: Environment) {
    this.#file = file;
    this.#env = env;
  }

  source(): Omit<Source, 'value'> {
    return {
      problems: this.#problems,
      lineOf: (path) => this.#lineOf(path),
      unexpanded: (path) => this.#unexpanded.get(path.join('\0')) ?? null,
    };
  }

  read(yaml: string): unknown {
    // prettyErrors would quote the line, and there may be a token on it. Doubled keys are found below, by name.
    const document = parseDocument(yaml, {
      prettyErrors: false,
      uniqueKeys: false,
      lineCounter: this.#lineCounter,
    });
    for (const fault of [...document.errors, ...document.warnings]) {
      this.tell([], `expected valid YAML, got ${describeFault(fault)}`, this.#lineAt(fault.pos[0]));
    }
    // Half a document would only bring problems that are none.
    if (document.errors.length > 0) return FAULTY;
    return this.#plain(document.contents, [], document);
  }

  tell(path: Path, message: string, line = this.#lineOf(path)): void {
    this.#problems.push({ file: this.#file, line, key: formatKey(path), message });
  }

  #plain(node: unknown, path: Path, document: Document): unknown {
    if (++this.#values === MOST_VALUES) this.tell(path, `expected at most ${MOST_VALUES} values, got more`);
    if (this.#values >= MOST_VALUES) return FAULTY;
    if (path.length > DEEPEST) {
      this.tell(path, `expected at most ${DEEPEST} levels, got more`);
      return FAULTY;
    }
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target !== undefined) return this.#plain(target, path, document);
      this.tell(path, `expected valid YAML, got ${UNKNOWN_ALIAS}`);
      return FAULTY;
    }
    if (isMap(node)) return this.#mapping(node.items, path, document);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const itemPath = [...path, index];
        this.#note(itemPath, item);
        return this.#plain(item, itemPath, document);
      });
    }
    if (!isScalar(node)) return null;
    return typeof node.value === 'string' ? this.#text(node.value, path) : node.value;
  }

  #mapping(pairs: readonly { key: unknown; value: unknown }[], path: Path, document: Document): unknown {
    // Without a prototype: a key named __proto__ is a key.
    const result: Record<string, unknown> = Object.create(null);
    for (const { key, value } of pairs) {
      if (!isScalar(key)) {
        this.tell(path, 'expected keys that are plain words, got another kind');
        continue;
      }
      // The source: a version may be called 1.10, which as a number would be 1.1.
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      const keyPath = [...path, name];
      if (Object.hasOwn(result, name)) {
        const line = this.#lineAt(key.range?.[0] ?? 0);
        this.tell(
          keyPath,
          `expected each key once, got it again (first on line ${this.#lineOf(keyPath)})`,
          line,
        );
        continue;
      }
      this.#note(keyPath, key);
      result[name] = this.#plain(value, keyPath, document);
    }
    return result;
  }

  #text(text: string, path: Path): unknown {
    const expanded = expandText(text, this.#env);
    if (expanded.ok && expanded.text !== text) this.#unexpanded.set(path.join('\0'), text);
    if (expanded.ok) return expanded.text;
    for (const message of expanded.problems) this.tell(path, message);
    return FAULTY;
  }

  #note(path: Path, node: unknown): void {
    const range = (node as { range?: readonly number[] | null } | null)?.range;
    if (range) this.#lines.set(path.join('\0'), this.#lineAt(range[0] ?? 0));
  }

  #lineOf(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(path.slice(0, length).join('\0'));
      if (line !== undefined) return line;
    }
    return 1;
  }

  #lineAt(offset: number): number {
    return Math.max(1, this.#lineCounter.linePos(offset).line);
  }
}

function describeFault(fault: YAMLError): string {
  switch (fault.code) {
    case 'BAD_ALIAS':
      return UNKNOWN_ALIAS;
    case 'BAD_INDENT':
      return 'a wrong indentation or an unclosed bracket';
    case 'BAD_DQ_ESCAPE':
      return 'an unknown \\ escape in double quotes';
    case 'BAD_SCALAR_START':
      return 'text that starts with a reserved character; put it in quotes';
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return 'a mapping where only a value can stand; put text with ": " in quotes';
    case 'MISSING_CHAR':
      return 'a missing quote, comma, colon or bracket';
    case 'MULTIPLE_DOCS':
      return 'a second document (---)';
    case 'TAB_AS_INDENT':
      return 'a tab as indentation';
    case 'TAG_RESOLVE_FAILED':
      return 'a tag (!name); put text that starts with ! in quotes';
    default:
      return `a syntax error (${fault.code})`;
  }
}
