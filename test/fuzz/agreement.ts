// Judges one case: ours and Node's reading of the same bytes, ours in other pieces, and what ours passes on.
// "Whatever ours accepts, Node's accepts as the same": the other direction is free, since ours is to be stricter.

import { readAnswer, readRequest } from '../kit/strict-http.ts';
import { ANSWER_DIFFERENCES, type Difference, REQUEST_DIFFERENCES, targetAsOurs } from './differences.ts';
import { type NodeReading, nodeAnswer, nodeRequests } from './node-reading.ts';
import { type OurAnswer, ourAnswer } from './our-answers.ts';
import { type OurReading, ourRequests } from './our-requests.ts';
import type { Field, Reading, ReadMessage } from './readings.ts';

export interface Verdict {
  /** What is wrong, in one sentence; null when all agree. */
  readonly fault: string | null;
  /** Messages that ours accepted whole. */
  readonly accepted: number;
  /** The class that explains why Node refused what ours accepted. */
  readonly difference: string | null;
}

const WHOLE: readonly number[] = [Number.MAX_SAFE_INTEGER];

export function judgeRequests(text: string, pieces: readonly number[]): Verdict {
  const bytes = Buffer.from(text, 'latin1');
  const ours = ourRequests(bytes, WHOLE);
  const compared = compare(ours, nodeRequests(upTo(bytes, ours)), text, REQUEST_DIFFERENCES);
  return {
    ...compared,
    fault:
      compared.fault ??
      differsInPieces(ours, ourRequests(bytes, pieces), text) ??
      firstFault(ours, (message, forwarded) => faultOfRequest(message, forwarded)),
  };
}

export function judgeAnswer(text: string, method: string, pieces: readonly number[]): Verdict {
  const bytes = Buffer.from(text, 'latin1');
  const ours = ourAnswer(bytes, method, WHOLE);
  const node = nodeAnswer(upTo(bytes, ours), method, ours.endsWithConnection);
  const compared = compare(ours, node, text, ANSWER_DIFFERENCES);
  return {
    ...compared,
    fault:
      compared.fault ??
      differsInPieces(ours, ourAnswer(bytes, method, pieces), text) ??
      firstFault(ours, (message, forwarded) => faultOfAnswer(message, forwarded, method)),
  };
}

/** Node gets no more than ours took: what ours refused is none of Node's business. */
function upTo(bytes: Buffer, ours: OurReading | OurAnswer): Buffer {
  return bytes.subarray(0, ours.ends.at(-1) ?? 0);
}

function compare(
  ours: OurReading | OurAnswer,
  node: NodeReading,
  text: string,
  differences: readonly Difference[],
): Verdict {
  const accepted = ours.messages.filter(({ isComplete }) => isComplete).length;
  const wrong = (fault: string): Verdict => ({ fault, accepted, difference: null });
  for (const [i, message] of ours.messages.entries()) {
    const fault = faultOfPair(message, node.messages[i], i === ours.messages.length - 1, node);
    if (fault === null) continue;
    const found = explanation(ours, i, text, node.refused ?? '', differences);
    if (found !== undefined) return { fault: null, accepted, difference: found.id };
    return wrong(`message ${i}: ${fault}`);
  }
  return { fault: null, accepted, difference: null };
}

/** The class of the message at which they parted, or of one before it, after which Node read something else. */
function explanation(
  ours: OurReading | OurAnswer,
  last: number,
  text: string,
  refusal: string,
  differences: readonly Difference[],
): Difference | undefined {
  for (let i = last; i >= 0; i--) {
    const raw = text.slice(ours.ends[i - 1] ?? 0, ours.ends[i]).replace(/^(\r\n)+/, '');
    const found = differences.find(({ explains }) => explains(ours.messages[i]!, raw, refusal));
    if (found !== undefined) return found;
  }
  return undefined;
}

function faultOfPair(
  ours: ReadMessage,
  theirs: ReadMessage | undefined,
  isLast: boolean,
  node: NodeReading,
): string | null {
  if (theirs === undefined || (ours.isComplete && !theirs.isComplete))
    return `Node does not accept it: ${node.refused ?? 'it waits for more'}`;
  const what = differingPart(ours, theirs);
  if (what !== null) return `another ${what}`;
  if (!isLast) return null;
  if (node.messages.at(-1) !== theirs) return 'Node sees one more';
  return node.refused === null ? null : `Node refuses what follows: ${node.refused}`;
}

function differingPart(ours: ReadMessage, node: ReadMessage): string | null {
  if (ours.method !== node.method) return `method: ${node.method}`;
  if (ours.target !== targetAsOurs(node.target, node.method)) return `target: ${node.target}`;
  if (ours.status !== node.status) return `status: ${node.status}`;
  if (!sameFields(ours.fields, node.fields)) return `field: ${JSON.stringify(node.fields)}`;
  if (ours.isComplete && ours.body !== node.body) return `body: ${JSON.stringify(node.body)}`;
  if (!isPartOf(ours.trailers, node.trailers)) return `trailer: ${JSON.stringify(node.trailers)}`;
  // To close is always safe, to go on is not (of an answer Node says so before it knows of HEAD); and what ours takes for another protocol, Node must too.
  if (ours.status === 0 && ours.keepsAlive && !node.keepsAlive) return 'end: Node closes';
  if (ours.isSwitch && !node.isSwitch) return 'protocol: Node sees no upgrade';
  return null;
}

function sameFields(a: readonly Field[], b: readonly Field[]): boolean {
  return a.length === b.length && a.every(([name, value], i) => name === b[i]![0] && value === b[i]![1]);
}

/** All of `some` is in `all`, in its order. */
function isPartOf(some: readonly Field[], all: readonly Field[]): boolean {
  let at = 0;
  for (const [name, value] of all)
    if (at < some.length && some[at]![0] === name && some[at]![1] === value) at++;
  return at === some.length;
}

/** More empty lines than are forgiven before a request, when they come at once. */
const MANY_EMPTY_LINES = /(?:\r\n){5}/;

/** How the bytes are cut must change nothing but how early a broken message is seen, and so why and after how much of it. */
function differsInPieces(whole: OurReading | OurAnswer, pieces: Reading, text: string): string | null {
  // Empty lines that arrive alone are dropped at once and so never add up.
  if (MANY_EMPTY_LINES.test(text)) return null;
  if ((whole.refused === null) !== (pieces.refused === null))
    return `in pieces: ${whole.refused} or ${pieces.refused}`;
  if (whole.messages.length !== pieces.messages.length) return 'in pieces: another number of messages';
  const i = whole.messages.findIndex((message, at) => {
    const other = pieces.messages[at]!;
    return message.isComplete !== other.isComplete || differingPart(message, other) !== null;
  });
  return i === -1 ? null : `in pieces: message ${i} is another`;
}

function firstFault(
  ours: OurReading | OurAnswer,
  judge: (message: ReadMessage, forwarded: string) => string | null,
): string | null {
  for (const [i, message] of ours.messages.entries()) {
    const fault = message.isComplete ? judge(message, ours.forwarded[i]!) : null;
    if (fault !== null) return `message ${i} goes on wrongly: ${fault}: ${JSON.stringify(ours.forwarded[i])}`;
  }
  return null;
}

/** What the upstream got is one strictly clean request, the same to a third reader (test/kit) and to Node. */
function faultOfRequest(message: ReadMessage, forwarded: string): string | null {
  const bytes = Buffer.from(forwarded, 'latin1');
  const strict = readRequest(bytes);
  if (strict.state !== 'complete') return strict.state === 'broken' ? strict.fault : 'incomplete';
  if (strict.end !== bytes.length) return 'it is more than one';
  const { method, target, body, leaks } = strict.message;
  if (leaks.length > 0) return `leaks ${leaks.join(', ')}`;
  if (method !== message.method || target !== message.target) return 'another method or target';
  return body.toString('latin1') === message.body ? null : 'another body';
}

function faultOfAnswer(message: ReadMessage, forwarded: string, method: string): string | null {
  const bytes = Buffer.from(forwarded, 'latin1');
  if (message.status === 101) return null; // of its own kind: heads.test.ts
  const strict = readAnswer(bytes, 0, method, true);
  if (strict.state === 'broken' && strict.fault.startsWith('bad status line') && message.status >= 600)
    return null;
  if (strict.state !== 'complete') return strict.state === 'broken' ? strict.fault : 'incomplete';
  if (strict.end !== bytes.length) return 'it is more than one';
  // Twins matter to applications that read fields as variables; a client is none.
  const leaks = strict.message.leaks.filter((leak) => !leak.endsWith('(underscore twin)'));
  if (leaks.length > 0) return `leaks ${leaks.join(', ')}`;
  if (strict.message.status !== message.status) return 'another status';
  return strict.message.body.toString('latin1') === message.body ? null : 'another body';
}
