// The head of an answer, read: all that an exchange wants to know of it, and the lines that go to the client. It outlives the
// scratch that it was read into, so that the same head need not be read again: those of a file or an endpoint differ
// in their Date at most. Recognising one costs 0.2 µs, reading it and writing it anew 2.5 µs.

import { type Lifetime, lifetimeOf, mayBeMissing } from '../core/asset-answer.ts';
import type { AnswerEdits, AnswerFacts } from '../core/steering.ts';
import { readAnswer } from './answer-facts.ts';
import { type AnswerExtras, AnswerLines, type ClientFraming, cookieLines } from './heads.ts';
import { FLAT_FROM, inOnePiece } from './in-one-piece.ts';
import type { BodyFraming, ResponseHead } from './response-head.ts';

/** What an answer says besides its own. */
export type AnswerAbout = Omit<AnswerExtras, 'framing' | 'closes'>;

const NOTHING = Buffer.alloc(0);

export class AnswerHead {
  /** As it came, where it is kept to be recognised. */
  octets: Buffer = NOTHING;
  readonly status: number;
  readonly framing: BodyFraming;
  readonly contentLength: number;
  readonly keepsAlive: boolean;
  readonly facts: AnswerFacts;
  /** What the upstream says it runs; '' for nothing. */
  readonly reported: string;
  /** See core/asset-answer.ts. */
  readonly mayBeMissing: boolean;
  /** Of an answer of the gateway's own: whose it is. */
  readonly owner: string;
  readonly #hasSetCookie: boolean;
  #lifetime: Lifetime | null = null;
  readonly #lines: AnswerLines;
  readonly #whole: RecurringText;
  /** All but the gateway's cookies and the end: with a cookie for each, heads are alike up to there. Null: none had any yet. */
  #open: RecurringText | null = null;

  /** Of a final answer. */
  constructor(head: ResponseHead, cookieName: string, reportHeader: string | null) {
    this.status = head.status;
    this.framing = head.framing;
    this.contentLength = head.contentLength;
    this.keepsAlive = head.keepsAlive;
    this.facts = readAnswer(head);
    this.reported = reportHeader === null ? '' : head.fields.valuesOf(reportHeader);
    this.mayBeMissing = mayBeMissing(this.facts);
    this.owner = head.owner;
    this.#hasSetCookie = head.hasSetCookie;
    this.#lines = new AnswerLines(head, cookieName);
    this.#whole = new RecurringText(this.#lines, 'all');
  }

  /** How long it says that it lasts; looked at when somebody wants to know. */
  get lifetime(): Lifetime {
    this.#lifetime ??= lifetimeOf({ ...this.facts, hasSetCookie: this.#hasSetCookie });
    return this.#lifetime;
  }

  linesFor(about: AnswerAbout, framing: ClientFraming, closes: boolean): string {
    if (about.edits.setCookies.length === 0) return this.#whole.textFor(about, framing, closes);
    this.#open ??= new RecurringText(this.#lines, 'butCookies');
    return this.#open.textFor(about, framing, closes) + cookieLines(about.edits);
  }
}

/** What was made last is not made again for the same, and is kept in one piece. */
class RecurringText {
  readonly #lines: AnswerLines;
  readonly #which: 'all' | 'butCookies';
  #text = '';
  #madeFor: AnswerExtras | null = null;
  #uses = 0;

  constructor(lines: AnswerLines, which: 'all' | 'butCookies') {
    this.#lines = lines;
    this.#which = which;
  }

  textFor(about: AnswerAbout, framing: ClientFraming, closes: boolean): string {
    const last = this.#madeFor;
    if (
      last !== null &&
      isAlike(last.edits, about.edits) &&
      last.version === about.version &&
      last.framing === framing &&
      last.closes === closes &&
      (this.#lines.hasDate || last.date === about.date)
    ) {
      if (++this.#uses === FLAT_FROM) this.#text = inOnePiece(this.#text);
      return this.#text;
    }
    const { version, edits, date } = about;
    this.#madeFor = { version, edits, framing, closes, date };
    this.#text = this.#lines[this.#which](this.#madeFor);
    this.#uses = 1;
    return this.#text;
  }
}

/** But for cookies. Edits that are nothing unusual are one and the same object (core/steering.ts). */
function isAlike(one: AnswerEdits, other: AnswerEdits): boolean {
  return (
    one === other ||
    (one.cacheControl === other.cacheControl &&
      one.update === other.update &&
      one.preview === other.preview &&
      one.isDocument === other.isDocument &&
      one.isPosted === other.isPosted)
  );
}

/** Nothing in it is for one client alone: kept by its text, it may be given to others. */
export function isCommon(head: ResponseHead, method: string): boolean {
  return !head.hasSetCookie && method !== 'HEAD';
}
