// `npm run verdicts`: every case of test/corpus against Lockstep, HAProxy, nginx and http-proxy, judged by the verdicts and
// oracles of test/corpus/README.md, and the comparison written into docs/reliability.md between its two marks.
// What others do is measured here, on the versions that are installed; it is a comparison of defaults, not a ranking: some
// of these cases are lawful to accept, and each of these gateways can be set up more strictly than it comes.

import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RequestCase, type ResponseCase, requestCases, responseCases } from '../test/kit/corpus.ts';
import { type RawClient, rawClient } from '../test/kit/raw-client.ts';
import { sendThen } from '../test/kit/raw-upstream.ts';
import {
  RECORDER_FIELD,
  type RecordingUpstream,
  type Seen,
  startRecordingUpstream,
} from '../test/kit/recording-upstream.ts';
import { readAnswer, valuesOf } from '../test/kit/strict-http.ts';
import { waitFor } from '../test/kit/wait-for.ts';
import { type ComparedGateway, startGateways } from './verdict-gateways.ts';

interface Judged {
  readonly verdict: string;
  /** Oracles that did not hold. */
  readonly broken: readonly string[];
}

interface Row {
  readonly id: string;
  readonly desc: string;
  readonly lawful: readonly string[];
  readonly judged: ReadonlyMap<string, Judged>;
}

const PAGE = new URL('../docs/reliability.md', import.meta.url);
const BEGIN = '<!-- verdicts: written by npm run verdicts -->';
const END = '<!-- verdicts end -->';
/** Longer than every limit of verdict-gateways.ts. */
const PATIENCE_MS = 2_500;
/** After an answer, for what else comes of the same request. */
const QUIET_MS = 60;
/** For a process that is ending to have ended. */
const EXIT_MS = 300;
const RESPONSES = responseCases();

async function main(): Promise<void> {
  const recorder = await startRecordingUpstream((request, socket) => {
    const one = RESPONSES.find(({ id }) => request.target === `/case/${id}`);
    if (one !== undefined) sendThen(socket, one.bytes, one.after);
    return one !== undefined;
  });
  const gateways = await startGateways(recorder.upstream.address);
  try {
    const requests = await compare(requestCases(), gateways, (one, gateway) =>
      judgeRequest(one, gateway, recorder),
    );
    const responses = await compare(RESPONSES, gateways, (one, gateway) =>
      judgeResponse(one, gateway, recorder),
    );
    const names = gateways.map(({ name }) => name);
    const text = [
      BEGIN,
      `\n### Requests: ${requests.length} cases\n\n${summary(requests, names)}\n\n${differences(requests, names)}`,
      `\n### Upstream answers: ${responses.length} cases\n\n${summary(responses, names)}\n\n${differences(responses, names)}\n`,
      END,
    ].join('\n');
    const page = readFileSync(PAGE, 'utf8');
    const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
    if (from === -1 || to === -1) throw new Error(`${PAGE.pathname} has no place for the verdicts`);
    writeFileSync(PAGE, page.slice(0, from) + text + page.slice(to + END.length));
    process.stdout.write(`${summary(requests, names)}\n${summary(responses, names)}\n`);
  } finally {
    for (const gateway of gateways) await gateway.stop();
    await recorder.stop();
  }
}

async function compare<T extends RequestCase | ResponseCase>(
  cases: readonly T[],
  gateways: readonly ComparedGateway[],
  judge: (one: T, gateway: ComparedGateway) => Promise<Judged>,
): Promise<readonly Row[]> {
  const lawful = lawfulVerdicts();
  const rows: Row[] = [];
  for (const one of cases) {
    const expected = lawful.get(one.id) ?? [one.want];
    const judged = new Map<string, Judged>();
    for (const gateway of gateways) {
      const { verdict, broken } = await judge(one, gateway);
      const all = [...broken];
      const serves = await isServing(gateway);
      if (!serves) await sleep(EXIT_MS);
      if (requestsIn([verdict]) > Math.max(1, requestsIn(expected))) all.push('count');
      if (await gateway.hasCrashed()) all.push('crash');
      else if (!serves) all.push('dead');
      judged.set(gateway.name, { verdict, broken: all });
    }
    rows.push({ id: one.id, desc: one.desc, lawful: expected, judged });
  }
  return rows;
}

/** The most that any of the verdicts lets through. */
function requestsIn(verdicts: readonly string[]): number {
  return Math.max(0, ...verdicts.map((verdict) => Number(/^fwd(\d+)$/.exec(verdict)?.[1] ?? 0)));
}

async function judgeRequest(
  one: RequestCase,
  gateway: ComparedGateway,
  recorder: RecordingUpstream,
): Promise<Judged> {
  recorder.forget();
  const client = await rawClient(gateway);
  try {
    await client.send(one.bytes);
    if (one.half) client.halfClose();
    await settle(client, one.bytes.toString('latin1', 0, 5) === 'HEAD ' ? 'HEAD' : 'GET');
    await waitFor(() => recorder.unfinished() === 0, { what: 'the upstream', timeoutMs: 1_500 }).catch(
      () => {},
    );
    const text = client.received().toString('latin1');
    const [seen, isOpen] = [recorder.requests().length, client.ended() === null];
    const answered = text.split(new RegExp(`\r\n${RECORDER_FIELD}:`, 'i')).length - 1;
    const status = /^(?:HTTP\/1\.[01] 1\d\d [\s\S]*?\r\n\r\n)*HTTP\/1\.[01] (\d+)/.exec(text)?.[1] ?? null;
    const isRefused = seen === 0 && status !== null;
    const broken = [
      recorder.faults().length > 0 ? 'unsafe' : '',
      recorder.leaks().length > 0 ? 'leak' : '',
      seen > answered ? 'lost' : '',
      isRefused && isOpen && Number(status) !== 421 ? 'noclose' : '',
    ];
    const verdict = seen > 0 ? `fwd${seen}` : (status ?? (isOpen ? 'hang' : 'close'));
    return { verdict, broken: broken.filter((name) => name !== '') };
  } finally {
    client.close();
  }
}

async function judgeResponse(
  one: ResponseCase,
  gateway: ComparedGateway,
  recorder: RecordingUpstream,
): Promise<Judged> {
  recorder.forget();
  const client = await rawClient(gateway);
  try {
    await client.send(`${one.method} /case/${one.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await settle(client, one.method);
    const reading = finalReading(client, one.method);
    if (reading.state === 'broken') return { verdict: 'unsafe', broken: ['unsafe'] };
    if (reading.state === 'incomplete') {
      if (client.ended() === null) return { verdict: 'hang', broken: [] };
      return { verdict: client.received().length === 0 ? 'none' : 'abort', broken: [] };
    }
    const { message } = reading;
    if (message.status >= 500) return { verdict: '502', broken: [] };
    return { verdict: 'ok', broken: message.leaks.length > 0 ? ['leak'] : [] };
  } finally {
    client.close();
  }
}

/** Until the connection has ended, or an answer is complete and nothing more comes, or patience ends. */
async function settle(client: RawClient, method: string): Promise<void> {
  const isDone = (): boolean => client.ended() !== null || finalReading(client, method).state === 'complete';
  await waitFor(isDone, { what: 'an answer', timeoutMs: PATIENCE_MS, everyMs: 2 }).catch(() => {});
  if (client.ended() === null) await sleep(QUIET_MS);
}

function finalReading(client: RawClient, method: string): ReturnType<typeof readAnswer> {
  const bytes = client.received();
  const hasEnded = client.ended() === 'fin';
  let reading = readAnswer(bytes, 0, method, hasEnded);
  while (reading.state === 'complete' && reading.message.status < 200 && reading.message.status !== 101) {
    reading = readAnswer(bytes, reading.end, method, hasEnded);
  }
  return reading;
}

/** An ordinary request gets its own answer. */
async function isServing(gateway: ComparedGateway): Promise<boolean> {
  const target = `/ordinary/${crypto.randomUUID()}`;
  try {
    const client = await rawClient(gateway);
    await client.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer = await client.finalAnswer('GET', PATIENCE_MS).finally(() => client.close());
    return (
      valuesOf(answer, RECORDER_FIELD).length === 1 &&
      (JSON.parse(answer.body.toString()) as Seen).target === target
    );
  } catch {
    return false;
  }
}

function lawfulVerdicts(): ReadonlyMap<string, readonly string[]> {
  const lawful = new Map<string, readonly string[]>();
  for (const file of ['requests', 'responses']) {
    const text = readFileSync(new URL(`../test/corpus/${file}.jsonl`, import.meta.url), 'utf8');
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const { id, expect } = JSON.parse(line) as { id: string; expect: string };
      lawful.set(id, expect.split('|'));
    }
  }
  return lawful;
}

const ORACLES = ['unsafe', 'count', 'lost', 'leak', 'noclose', 'dead', 'crash'];

function summary(rows: readonly Row[], names: readonly string[]): string {
  const lines = names.map((name) => {
    const all = rows.map((row) => ({ row, ...row.judged.get(name)! }));
    const counts = [
      all.filter(({ row, verdict }) => verdict === row.lawful[0]).length,
      all.filter(({ row, verdict }) => row.lawful.includes(verdict)).length,
      ...ORACLES.map((oracle) => all.filter(({ broken }) => broken.includes(oracle)).length),
    ];
    return `| ${name} | ${counts.join(' | ')} |`;
  });
  const head = ['gateway', 'first verdict', 'a lawful verdict', ...ORACLES];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...lines].join('\n');
}

/** Cases in which any of them does otherwise than the first verdict, or breaks an oracle. */
function differences(rows: readonly Row[], names: readonly string[]): string {
  const cell = ({ verdict, broken }: Judged, lawful: readonly string[]): string => {
    const text = [verdict, ...broken.filter((oracle) => oracle !== verdict)].join(', ');
    return lawful.includes(verdict) && broken.length === 0 ? text : `**${text}**`;
  };
  const lines = rows
    .filter(({ lawful, judged }) =>
      [...judged.values()].some(({ verdict, broken }) => verdict !== lawful[0] || broken.length > 0),
    )
    .map(({ id, desc, lawful, judged }) => {
      const cells = names.map((name) => cell(judged.get(name)!, lawful));
      return `| ${id} | ${desc.replaceAll('|', '\\|').replaceAll('<', '&lt;')} | ${lawful.join(' or ')} | ${cells.join(' | ')} |`;
    });
  const head = ['case', 'what', 'lawful', ...names];
  return [
    `In the other ${rows.length - lines.length} all agree with the first verdict. **Bold**: another verdict, or an oracle that does not hold.\n`,
    `| ${head.join(' | ')} |`,
    `|${' --- |'.repeat(head.length)}`,
    ...lines,
  ].join('\n');
}

await main();
