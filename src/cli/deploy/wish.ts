// What is asked of a deploy: the options of the command, read once. It goes into the journal as it is, so that a deploy
// that is resumed does what the interrupted one was asked to do. Everything that can be wrong is told before anything is done.

import { LONGEST_STEP_MS, SHORTEST_STEP_MS } from '../../core/canary.ts';
import { parseDuration } from '../../core/duration.ts';
import { REPORT } from '../../core/reported-version.ts';
import type { WarmWish } from '../../core/warm.ts';
import { usageFailure } from '../failure.ts';
import { analysisOf, type CanaryBounds } from '../promote.ts';
import { type Call, isSet, requiredText, textOf, versionIdOf } from '../verb.ts';
import { type HostWish, readHosts } from './hosts.ts';

export interface CanarySteps extends CanaryBounds {
  readonly steps: readonly number[];
  readonly every: string;
}

export interface DeployWish {
  readonly version: string;
  readonly hosts: readonly HostWish[];
  /** Template of the hook, for /bin/sh. */
  readonly each: string;
  readonly parallel: number;
  readonly hookTimeoutMs: number;
  readonly port: number | null;
  /** Template of an address. */
  readonly upstream: string | null;
  /** What its servers say that they run; null: its id. */
  readonly reports: string | null;
  /** The application does not say what it runs. */
  readonly isSilent: boolean;
  readonly sameBuild: boolean;
  /** A version of that id that is there already is meant. */
  readonly takesOver: boolean;
  readonly warm: (Pick<WarmWish, 'paths'> & { readonly p95?: string }) | null;
  readonly canary: CanarySteps | null;
  /** Of each wait for sessions to end. */
  readonly timeoutMs: number;
  readonly healthTimeoutMs: number;
  /** How long a gateway that does not answer is waited for. */
  readonly patienceMs: number;
  readonly waits: boolean;
  readonly retires: boolean;
  readonly keeps: boolean;
  readonly onFailure: 'stop' | 'rollback';
}

const MOST_PARALLEL = 64;
const USUAL_STEP = '5m';

export function wishOf(call: Call): DeployWish {
  const given = (option: string) => call.values[option] !== undefined;
  const canary = canaryOf(call);
  const hosts = readHosts(requiredText(call, 'hosts'));
  if (typeof hosts === 'string') throw bad(call, `--hosts: ${hosts}`);
  if (given('port') && given('upstream')) throw bad(call, '--port: expected without --upstream');
  if (isSet(call, 'no-wait') && isSet(call, 'retire')) {
    throw bad(call, '--retire: expected without --no-wait: a version is retired when it is drained');
  }
  const upstream = textOf(call, 'upstream');
  if (upstream !== null && !upstream.includes('{host}')) {
    throw bad(call, "--upstream: expected an address with {host} in it, such as 'http://{host}:8080'");
  }
  const reports = textOf(call, 'reports');
  if (reports !== null && !REPORT.test(reports)) throw bad(call, '--reports: expected a text without blanks');
  const onFailure = textOf(call, 'on-failure') ?? 'stop';
  if (onFailure !== 'stop' && onFailure !== 'rollback') {
    throw bad(call, '--on-failure: expected rollback or stop');
  }
  return {
    version: versionIdOf(call),
    hosts,
    each: requiredText(call, 'each'),
    parallel: numberOf(call, 'parallel', MOST_PARALLEL) ?? 1,
    hookTimeoutMs: durationOf(call, 'hook-timeout', '15m'),
    port: numberOf(call, 'port', 65_535),
    upstream,
    reports,
    isSilent: isSet(call, 'no-report'),
    sameBuild: isSet(call, 'same-build'),
    takesOver: isSet(call, 'take-over'),
    warm: warmOf(call),
    canary,
    timeoutMs: durationOf(call, 'timeout', '24h'),
    healthTimeoutMs: durationOf(call, 'health-timeout', '5m'),
    patienceMs: durationOf(call, 'patience', '5m'),
    waits: !isSet(call, 'no-wait'),
    retires: isSet(call, 'retire'),
    keeps: isSet(call, 'keep'),
    onFailure,
  };
}

/** 10% and 10% are 10, 20, …, 100. */
export function stepsFrom(first: number, width: number): readonly number[] {
  const steps: number[] = [];
  for (let step = first; step < 100; step += width) steps.push(step);
  return [...steps, 100];
}

function canaryOf(call: Call): CanarySteps | null {
  const first = percentOf(call, 'canary');
  if (first === null) {
    const alone = ['step', 'every', 'errors', 'p95', 'min', 'unjudged'].find(
      (name) => call.values[name] !== undefined,
    );
    if (alone !== undefined) throw bad(call, `--${alone}: expected together with --canary`);
    return null;
  }
  const every = textOf(call, 'every') ?? USUAL_STEP;
  const everyMs = parseDuration(every);
  if (everyMs === null || everyMs < SHORTEST_STEP_MS || everyMs > LONGEST_STEP_MS) {
    throw bad(call, '--every: expected a duration from 1s to 720h, such as 5m');
  }
  return { steps: stepsFrom(first, percentOf(call, 'step') ?? first), every, ...analysisOf(call) };
}

function warmOf(call: Call): DeployWish['warm'] {
  const text = textOf(call, 'warm');
  const p95 = textOf(call, 'warm-p95');
  if (text === null) {
    if (p95 !== null) throw bad(call, '--warm-p95: expected together with --warm');
    return null;
  }
  const paths = text.split(',');
  if (!paths.every((path) => /^\/[\x21-\x2b\x2d-\x7e]*$/.test(path))) {
    throw bad(call, '--warm: expected paths such as /,/login');
  }
  if (p95 !== null && parseDuration(p95) === null) {
    throw bad(call, '--warm-p95: expected a duration such as 300ms');
  }
  return { paths, ...(p95 !== null && { p95 }) };
}

/** 1 to 99, with or without its sign. */
function percentOf(call: Call, option: string): number | null {
  const text = textOf(call, option);
  if (text === null) return null;
  const [, number] = /^([1-9]\d?)%?$/.exec(text) ?? [];
  if (number === undefined) throw bad(call, `--${option}: expected a share from 1% to 99%`);
  return Number(number);
}

function numberOf(call: Call, option: string, most: number): number | null {
  const text = textOf(call, option);
  if (text === null) return null;
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > most) {
    throw bad(call, `--${option}: expected a whole number from 1 to ${most}`);
  }
  return Number(text);
}

function durationOf(call: Call, option: string, usual: string): number {
  const ms = parseDuration(textOf(call, option) ?? usual);
  if (ms === null) throw bad(call, `--${option}: expected a duration such as 30s or 2h`);
  return ms;
}

function bad(call: Call, what: string): Error {
  return usageFailure(what, call.verb);
}
