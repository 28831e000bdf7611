// Why a request goes where it goes, for people: the verdict in one sentence, then the sources that were asked, in their
// order, and the pool. Pure.

import type { ConsideredUpstream, PastOutcome, ToldExplanation, Verdict } from '../core/explain.ts';
import type { Now } from './report.ts';
import { type Column, renderTable } from './table.ts';
import { COLUMNS, printable, tellClock, tellSpan, wrap } from './text.ts';

const SOURCES: readonly Column[] = [
  { title: 'SOURCE', roomy: 18 },
  { title: 'NAMES' },
  { title: 'VERDICT', roomy: 7 },
  { title: 'WHY', wraps: true },
];

const POOL: readonly Column[] = [
  { title: 'UPSTREAM', roomy: 18 },
  { title: 'WANTED' },
  { title: 'HEALTH', roomy: 7 },
  { title: 'IN FLIGHT', align: 'right', spare: 1 },
  { title: '' },
];

export function renderExplanation(told: ToldExplanation, now: Now): string {
  const { sources, chosen } = told;
  const upstreams = told.action === 'forward' || told.holdMs > 0 ? told.upstreams : [];
  const columns = now.columns ?? COLUMNS;
  const blocks = [
    wrap(
      `${tellRequest(told)} ${told.past === null ? tellFuture(told) : tellPast(told, told.past, now)}`,
      '',
      columns,
    ),
    sources.length === 0
      ? []
      : renderTable(
          SOURCES,
          sources.map(({ source, names, verdict, why }) => [source, names ?? '-', verdict, printable(why)]),
          columns,
        ),
    upstreams.length === 0
      ? []
      : renderTable(
          POOL,
          upstreams.map((one) => tellUpstream(one, chosen, told)),
          columns,
        ),
    [tellOtherwise(told), tellPin(told), tellShares(told)]
      .filter((sentence) => sentence !== '')
      .flatMap((sentence) => wrap(sentence, '  ', columns)),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const KINDS = {
  navigation: 'a navigation',
  safe: 'a sub-request',
  unsafe: 'an unsafe request',
  websocket: 'a WebSocket handshake',
} as const satisfies Record<ToldExplanation['kind'], string>;

function tellRequest({ method, target, kind, past }: ToldExplanation): string {
  if (method === '') return 'What came was no request that could be read.';
  return `${printable(`${method} ${target}`)} ${past === null ? 'is' : 'was'} ${KINDS[kind]}.`;
}

function tellFuture(told: ToldExplanation): string {
  const where = tellVerdict(told, 'would');
  const at = told.chosen === null ? '' : `, now at ${told.chosen}`;
  return `It ${where}${told.action === 'forward' ? at : ''} (${told.reason}): ${told.why}.`;
}

function tellPast(
  told: ToldExplanation,
  { time, status, failure, retries, totalMs }: PastOutcome,
  now: Now,
): string {
  const atMs = Date.parse(time);
  const when = `${tellClock(atMs, now.nowMs, now.timeZone)} (${tellSpan(now.nowMs - atMs)} ago)`;
  const nowhere = told.action === 'forward' ? 'to the gateway itself' : 'nowhere';
  const to = told.version === null ? nowhere : `to ${told.version.id}`;
  const where = told.chosen === null ? to : `${to} at ${told.chosen}`;
  const answer = status === 0 ? 'got no answer' : `got ${status}`;
  const failed = failure === null ? '' : ` (${failure})`;
  const again = retries === 0 ? '' : ', after it was sent once more';
  return `It came ${when}, went ${where} and ${answer}${failed} in ${Math.round(totalMs)} ms${again}. Why there (${told.reason}): ${told.why}.`;
}

function tellVerdict(
  { action, version, status, failure, reload, holdMs }: Verdict,
  mood: 'would' | 'will',
): string {
  const wait = holdMs > 0 ? `${mood} wait for up to ${tellSpan(holdMs)}, then ` : `${mood} `;
  if (action === 'forward')
    return version === null ? `${wait}be answered by the gateway itself` : `${wait}go to ${version.id}`;
  const page = reload ? ', which tells the page to reload' : '';
  return `${wait}be answered by the gateway: ${status} ${failure}${page}`;
}

function tellUpstream(
  { address, enabled, health, inFlight, isCandidate }: ConsideredUpstream,
  chosen: string | null,
  { past }: ToldExplanation,
): string[] {
  const note =
    address === chosen ? (past === null ? 'chosen' : 'was chosen') : isCandidate ? 'candidate' : '';
  return [address, enabled ? 'enabled' : 'disabled', health, String(inFlight), note];
}

function tellOtherwise({ otherwise }: ToldExplanation): string {
  if (otherwise === null) return '';
  const after = otherwise.afterMs === 0 ? 'at once' : `after ${tellSpan(otherwise.afterMs)}`;
  return `None of them is available. If none becomes so, it ${tellVerdict(otherwise, 'will')} ${after}.`;
}

const PIN_ACTIONS = {
  none: 'The answer leaves the pin alone.',
  mint: 'The answer may mint a pin.',
  repin: 'The answer may move the pin.',
  refresh: 'The answer refreshes the pin when that is due.',
} as const satisfies Record<ToldExplanation['pinAction'], string>;

function tellPin({ action, session, pinAction, past }: ToldExplanation): string {
  const pin = action === 'refuse' || past !== null ? '' : PIN_ACTIONS[pinAction];
  return `${session === null ? '' : `Session ${session}. `}${pin}`.trimEnd();
}

function tellShares({ shares }: ToldExplanation): string {
  if (shares.length <= 1) return '';
  return `New sessions: ${shares.map(({ version, percent }) => `${version} ${percent}%`).join(', ')}.`;
}
