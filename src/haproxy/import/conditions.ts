// Conditions of `.if` and `.elif` (configuration.txt, section 2.4). What depends on the HAProxy that would read the file
// is answered for the one that is assumed, and said to be.

import type { Variables } from './words.ts';

/** Of Debian 12; what it was built with there. */
export const ASSUMED_VERSION = '2.6.12';
const ASSUMED_FEATURES: ReadonlySet<string> = new Set(
  'EPOLL THREAD OPENSSL LUA SLZ TFO NS PCRE2 PCRE2_JIT GETADDRINFO CRYPT_H DL RT LINUX_TPROXY LINUX_SPLICE SYSTEMD PROMEX'.split(
    ' ',
  ),
);
const ASSUMED_OPTIONS: ReadonlySet<string> = new Set(
  'POLL EPOLL SPLICE GETADDRINFO REUSEPORT FAST-FORWARD'.split(' '),
);

export interface Answer {
  readonly isTrue: boolean;
  /** Predicates that another HAProxy might answer otherwise. */
  readonly assumed: readonly string[];
}

/** Null for what is no condition. `words` follow the directive; HAProxy joins them by single spaces. */
export function judgeCondition(words: readonly string[], variables: Variables): Answer | null {
  const text = words.join(' ').trim();
  if (text === '') return { isTrue: false, assumed: [] };
  const reader = new ConditionReader(text, variables);
  const isTrue = reader.readAny();
  return isTrue === null || !reader.isAtEnd ? null : { isTrue, assumed: reader.assumed };
}

/** Deeper than any person nests them; what is deeper is no condition. */
const DEEPEST = 100;

class ConditionReader {
  readonly assumed: string[] = [];
  readonly #text: string;
  readonly #variables: Variables;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  get isAtEnd(): boolean {
    this.#skipBlanks();
    return this.#at >= this.#text.length;
  }

  /** Every term is read, so that a fault behind a decided one is seen too. */
  readAny(): boolean | null {
    let isAny = false;
    do {
      const one = this.#readAll();
      if (one === null) return null;
      isAny ||= one;
    } while (this.#skips('||'));
    return isAny;
  }

  #readAll(): boolean | null {
    let isAll = true;
    do {
      const one = this.#readTerm();
      if (one === null) return null;
      isAll &&= one;
    } while (this.#skips('&&'));
    return isAll;
  }

  #readTerm(): boolean | null {
    if (++this.#depth > DEEPEST) return null;
    try {
      if (this.#skips('!')) {
        const negated = this.#readTerm();
        return negated === null ? null : !negated;
      }
      if (this.#skips('(')) {
        const inner = this.readAny();
        return inner !== null && this.#skips(')') ? inner : null;
      }
      return this.#readPredicate();
    } finally {
      this.#depth--;
    }
  }

  #readPredicate(): boolean | null {
    this.#skipBlanks();
    const rest = this.#text.slice(this.#at);
    const number = /^\d+/.exec(rest)?.[0];
    if (number !== undefined) {
      this.#at += number.length;
      return !/^0+$/.test(number);
    }
    const call = /^([a-z_]+)(?:\(([^()]*)\))?/.exec(rest);
    if (call === null) return null;
    this.#at += call[0].length;
    const args = (call[2] ?? '').split(',');
    return this.#judge(call[1]!, args, call[0]);
  }

  #judge(name: string, args: readonly string[], shown: string): boolean | null {
    const [first = '', second = ''] = args;
    switch (name) {
      case 'defined':
        return this.#variables.read(first) !== null;
      case 'streq':
        return args.length === 2 ? first === second : null;
      case 'strneq':
        return args.length === 2 ? first !== second : null;
      case 'strstr':
        return args.length === 2 ? first.includes(second) : null;
      default:
        break;
    }
    const assumed = judgeAssumed(name, first);
    if (assumed !== null) this.assumed.push(`${shown} is ${assumed ? 'true' : 'false'}`);
    return assumed;
  }

  #skips(token: string): boolean {
    this.#skipBlanks();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }
}

function judgeAssumed(name: string, argument: string): boolean | null {
  switch (name) {
    case 'feature':
      return ASSUMED_FEATURES.has(argument);
    case 'enabled':
      return ASSUMED_OPTIONS.has(argument);
    case 'version_atleast':
      return compareVersions(ASSUMED_VERSION, argument) >= 0;
    case 'version_before':
      return compareVersions(ASSUMED_VERSION, argument) < 0;
    case 'openssl_version_atleast':
      return true;
    case 'ssllib_name_startswith':
      return 'OpenSSL'.startsWith(argument);
    case 'openssl_version_before':
    case 'awslc_api_atleast':
    case 'awslc_api_before':
    case 'fips_mode':
      return false;
    default:
      return null;
  }
}

/** As HAProxy: `2.4-dev19` is before `2.4.0`; what is missing counts as 0. */
function compareVersions(left: string, right: string): number {
  const [here, there] = [versionNumbers(left), versionNumbers(right)];
  for (let i = 0; i < 4; i++) {
    const difference = (here[i] ?? 0) - (there[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function versionNumbers(text: string): readonly number[] {
  const [, major = '0', minor = '0', patch = '0', dev] =
    /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-dev(\d{1,9}))?/.exec(text) ?? [];
  const numbers = [major, minor, patch].map(Number);
  return [...numbers, dev === undefined ? 0 : Number(dev) - 1e9];
}
