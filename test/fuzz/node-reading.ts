// Reads bytes with Node's own parser. `HTTPParser` is internal, but it is what node:http is built on, and a hundred times
// as fast as a server on an in-memory stream; that both say the same of the same bytes is a test of its own
// (test/unit/wire/differential.test.ts), so that a change of the internal interface is noticed, not believed.

import { METHODS } from 'node:http';
import type { Field, OpenMessage, Reading } from './readings.ts';

type Pairs = readonly string[] | null | undefined;

interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | (Error & { code: string; reason: string });
  finish(): undefined | (Error & { code: string; reason: string });
  free(): void;
  [callback: number]: (...args: never[]) => number | undefined;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
}

const { HTTPParser } = process.getBuiltinModule('node:_http_common') as unknown as {
  HTTPParser: NodeParserClass;
};

/** Heads of ours are never longer; answers' heads have their own limit. */
const MAX_HEAD_BYTES = 64 * 1_024;

/** After an upgrade the parser keeps the reason to itself. */
const STOPPED = 'stopped in the body of an upgrade';

export interface NodeReading extends Reading {
  /** Node took a request for an upgrade (of any kind) and left what follows to another protocol. */
  readonly upgrades: number;
}

export function nodeRequests(bytes: Buffer): NodeReading {
  const reader = new NodeReader(HTTPParser.REQUEST, '');
  reader.read(bytes);
  return reader;
}

/** `method` was asked for; `hasEnded`: the connection ends behind the bytes. */
export function nodeAnswer(bytes: Buffer, method: string, hasEnded: boolean): NodeReading {
  const reader = new NodeReader(HTTPParser.RESPONSE, method);
  reader.read(bytes);
  if (hasEnded) reader.finish();
  return reader;
}

class NodeReader implements NodeReading {
  readonly messages: OpenMessage[] = [];
  refused: string | null = null;
  upgrades = 0;
  readonly #type: number;
  readonly #askedMethod: string;
  #parser: NodeParser;
  #lines: string[] = [];
  #url = '';
  #isInMessage = false;

  constructor(type: number, askedMethod: string) {
    this.#type = type;
    this.#askedMethod = askedMethod;
    this.#parser = this.#newParser();
  }

  read(bytes: Buffer): void {
    let rest = bytes;
    // A parser that saw an upgrade stops behind that message; a fresh one reads on, as a server without a listener for
    // upgrades means to.
    while (rest.length > 0 && this.refused === null) {
      const upgrades = this.upgrades;
      const taken = this.#parser.execute(rest);
      if (typeof taken !== 'number') this.refused = `${taken.code}: ${taken.reason}`;
      else if (this.upgrades === upgrades || taken === 0) return;
      else if (!this.messages.at(-1)!.isComplete) this.refused = STOPPED;
      else {
        rest = rest.subarray(taken);
        this.#parser = this.#newParser();
      }
    }
  }

  finish(): void {
    if (this.refused !== null) return;
    const error = this.#parser.finish();
    if (error !== undefined) this.refused = `${error.code}: ${error.reason}`;
  }

  #newParser(): NodeParser {
    const parser = new HTTPParser();
    parser.initialize(this.#type, {}, MAX_HEAD_BYTES, HTTPParser.kLenientNone);
    parser[HTTPParser.kOnHeaders] = (lines: string[], url: string) => this.#onLines(lines, url);
    parser[HTTPParser.kOnHeadersComplete] = (...args: never[]) =>
      this.#onHead(...(args as unknown as HeadArguments));
    parser[HTTPParser.kOnBody] = (data: Buffer) => {
      this.messages.at(-1)!.body += data.toString('latin1');
      return undefined;
    };
    parser[HTTPParser.kOnMessageComplete] = () => this.#onEnd();
    return parser;
  }

  /** Fields of a head or trailers that come in several portions. */
  #onLines(lines: string[], url: string): undefined {
    this.#lines.push(...lines);
    if (!this.#isInMessage) this.#url += url;
    return undefined;
  }

  #onHead(...[, , lines, method, url, status, , isUpgrade, keepsAlive]: HeadArguments): number {
    this.#lines.push(...(lines ?? []));
    this.#isInMessage = true;
    if (isUpgrade) this.upgrades++;
    this.messages.push({
      method: method === undefined || method === null ? '' : methodName(method),
      target: this.#url + (url ?? ''),
      status: status ?? 0,
      fields: paired(this.#lines),
      body: '',
      trailers: [],
      isComplete: false,
      keepsAlive,
      isSwitch: isUpgrade,
    });
    this.#lines = [];
    this.#url = '';
    // 1: no body, whatever the fields say. node:http's client says so for HEAD and for interim answers.
    return this.#askedMethod === 'HEAD' || (status !== null && status !== undefined && status < 200) ? 1 : 0;
  }

  #onEnd(): undefined {
    const message = this.messages.at(-1)!;
    message.isComplete = true;
    message.trailers = paired(this.#lines);
    this.#lines = [];
    this.#isInMessage = false;
    return undefined;
  }
}

type HeadArguments = [
  major: number,
  minor: number,
  lines: Pairs,
  method: number | null | undefined,
  url: string | null | undefined,
  status: number | null | undefined,
  reason: string | null | undefined,
  isUpgrade: boolean,
  keepsAlive: boolean,
];

function paired(lines: readonly string[]): readonly Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < lines.length; i += 2) fields.push([lines[i]!, lines[i + 1]!]);
  return fields;
}

/** The parser speaks of methods by number; which is which is asked of itself. */
const METHOD_NAMES = new Map<number, string>(METHODS.map((name) => [methodNumber(name), name]));

function methodName(number: number): string {
  return METHOD_NAMES.get(number) ?? `method ${number}`;
}

function methodNumber(name: string): number {
  let found = -1;
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, MAX_HEAD_BYTES, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnHeadersComplete] = (...args: never[]) => {
    found = (args as unknown as HeadArguments)[3] ?? -1;
    return 0;
  };
  const target = name === 'CONNECT' ? 'a:1' : '/';
  parser.execute(Buffer.from(`${name} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, 'latin1'));
  return found;
}
