// lockstep promote ID

import { LONGEST_STEP_MS, SHORTEST_STEP_MS } from '../core/canary.ts';
import { parseDuration } from '../core/duration.ts';
import { parsePercent } from '../core/percent.ts';
import { change, versionPath } from './change.ts';
import { usageFailure } from './failure.ts';
import { type Call, CHANGE_OPTIONS, isSet, textOf, type Verb, versionIdOf } from './verb.ts';
import { whileWarming } from './warm-progress.ts';

/** A warm-up takes 30 minutes at most (core/warm.ts). */
export const PROMOTE_ANSWER_MS = 31 * 60_000;

export const promote: Verb = {
  name: 'promote',
  usage: 'promote ID [--weight N | --steps N,N,… [--every 10m]] [--force]',
  summary: 'Gives a version all new sessions, or with --weight a share of them. Others keep theirs.',
  options: {
    weight: { type: 'string', value: 'N', help: 'percent of new sessions, 0..100; below 100 is a canary' },
    steps: { type: 'string', value: 'N,N,…', help: 'one weight after the other, as 5,25,50,100' },
    every: { type: 'string', value: 'TIME', help: 'how long a step takes at least; default 10m' },
    errors: { type: 'string', value: 'N%', help: 'stop the steps at so many more failed requests' },
    p95: { type: 'string', value: 'X', help: 'stop the steps when X times as slow' },
    min: { type: 'string', value: 'N', help: 'judge after so many requests of new sessions' },
    unjudged: { type: 'boolean', help: 'take the steps whatever the requests come to' },
    force: { type: 'boolean', help: 'even without a healthy upstream, and without warm-up' },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version', states: ['staged', 'canary', 'draining', 'drained'] }],
  run(call) {
    const id = versionIdOf(call);
    const weight = weightOf(call);
    const wish = wishOf(call);
    if (wish !== null && weight !== null) throw bad(call, '--steps: expected without --weight');
    const body = { ...(weight !== null && { weight }), ...wish, force: isSet(call, 'force') };
    const fallback = `${id} gets ${wish?.steps[0] ?? weight ?? 100}% of new sessions.`;
    return whileWarming(call, id, () =>
      change(
        call,
        versionPath(id, 'promote'),
        { method: 'POST', body, answerMs: PROMOTE_ANSWER_MS },
        fallback,
      ),
    );
  },
};

export interface CanaryBounds {
  readonly analysis?: { readonly errors?: string; readonly p95?: number; readonly min?: number } | null;
}

interface Wish extends CanaryBounds {
  readonly steps: readonly number[];
  readonly every?: string;
}

/** Null without --steps. What the gateway would refuse is told here, by the name of the option. */
function wishOf(call: Call): Wish | null {
  const text = textOf(call, 'steps');
  if (text === null) {
    const given = ['every', 'errors', 'p95', 'min', 'unjudged'].find(
      (name) => call.values[name] !== undefined,
    );
    if (given !== undefined) throw bad(call, `--${given}: expected together with --steps`);
    return null;
  }
  const steps = text.split(',').map((step) => (/^\d{1,3}$/.test(step) ? Number(step) : 0));
  if (steps.some((step, index) => step < 1 || step > 100 || step <= (steps[index - 1] ?? 0))) {
    throw bad(
      call,
      '--steps: expected weights from 1 to 100, each larger than the one before, as 5,25,50,100',
    );
  }
  const every = textOf(call, 'every');
  const everyMs = every === null ? SHORTEST_STEP_MS : parseDuration(every);
  if (everyMs === null || everyMs < SHORTEST_STEP_MS || everyMs > LONGEST_STEP_MS) {
    throw bad(call, '--every: expected a duration from 1s to 720h, such as 10m');
  }
  return { steps, ...(every !== null && { every }), ...analysisOf(call) };
}

/** By how much a canary may be worse; nothing where nothing was said. */
export function analysisOf(call: Call): CanaryBounds {
  const errors = textOf(call, 'errors');
  const p95 = numberOf(call, 'p95', /^\d{1,3}(\.\d{1,6})?$/, 'expected a number such as 1.5, from 1 to 100');
  const min = numberOf(call, 'min', /^[1-9]\d{0,6}$/, 'expected a whole number from 1');
  if (errors !== null && parsePercent(errors) === null) {
    throw bad(call, '--errors: expected a share such as 1% or 0.5%');
  }
  const bounds = {
    ...(errors !== null && { errors }),
    ...(p95 !== null && { p95 }),
    ...(min !== null && { min }),
  };
  const hasBounds = Object.keys(bounds).length > 0;
  if (isSet(call, 'unjudged')) {
    if (hasBounds) throw bad(call, '--unjudged: expected without --errors, --p95 and --min');
    return { analysis: null };
  }
  return hasBounds ? { analysis: bounds } : {};
}

function weightOf(call: Call): number | null {
  return numberOf(call, 'weight', /^(\d{1,2}|100)$/, 'expected a whole number from 0 to 100');
}

function numberOf(call: Call, option: string, pattern: RegExp, expected: string): number | null {
  const text = textOf(call, option);
  if (text === null) return null;
  if (!pattern.test(text)) throw bad(call, `--${option}: ${expected}`);
  return Number(text);
}

function bad(call: Call, what: string): Error {
  return usageFailure(what, call.verb);
}
