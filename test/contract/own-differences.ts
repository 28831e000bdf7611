// As differences.ts, for the cases that we added to the corpus: by reason, since a few traits of node:http make most of them.

import type { Difference } from './differences.ts';

interface Shared extends Difference {
  readonly ids: readonly string[];
}

const REQUESTS: readonly Shared[] = [
  { ids: ['B135'], verdict: '400', because: 'llhttp forgives spaces behind `chunked`, but no tab' },
  {
    ids: ['C111', 'C112', 'C113'],
    verdict: 'close',
    because: 'llhttp counts chunk sizes up to 2^64: it waits for the data, and the upstream sees the cut',
  },
  {
    ids: ['C142', 'C143'],
    verdict: 'fwd1',
    because: 'llhttp does not read chunk extensions closely; they do not go on',
  },
  {
    ids: ['C177'],
    verdict: 'fwd1',
    because: 'node:http bounds trailers by their octets, and their number by that of all fields',
  },
  { ids: ['C178'], verdict: '431', because: 'node:http counts trailers to the head' },
  { ids: ['C180'], verdict: 'fwd1', because: 'llhttp reads any number of leading zeros; they do not go on' },
  { ids: ['D165'], verdict: '405', because: 'node:http does not say what a CONNECT was for' },
  {
    ids: ['D171', 'D173', 'D174'],
    verdict: '400',
    because: 'llhttp knows the versions 0.9, 1.0, 1.1 and 2.0',
  },
  { ids: ['D192', 'D193', 'D194'], verdict: '400', because: 'llhttp knows a list of methods' },
  {
    ids: ['D198', 'D199', 'D200'],
    verdict: 'fwd1',
    because: 'llhttp skips CR and LF in any order before a request line; they do not go on',
  },
  {
    ids: ['E310'],
    verdict: 'fwd1',
    mayRewrite: true,
    because: 'node:http writes a head with Expect as UTF-8, so that obs-text does not arrive as it came',
  },
];

const RESPONSES: readonly Shared[] = [
  { ids: ['R121'], verdict: '502', because: 'llhttp refuses white space before the colon in answers, too' },
  { ids: ['R161'], verdict: 'ok', because: 'llhttp skips empty lines before an answer' },
  { ids: ['R170'], verdict: '502', because: 'llhttp knows the versions 0.9, 1.0, 1.1 and 2.0' },
  {
    ids: ['R253', 'R254'],
    verdict: 'ok',
    because: 'node:http bounds trailers and extensions by 16 KiB each',
  },
];

export const OWN_REQUEST_DIFFERENCES = byId(REQUESTS);
export const OWN_RESPONSE_DIFFERENCES = byId(RESPONSES);

function byId(all: readonly Shared[]): Readonly<Record<string, Difference>> {
  return Object.fromEntries(all.flatMap((shared) => shared.ids.map((id) => [id, shared])));
}
