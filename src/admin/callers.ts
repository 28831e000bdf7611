// Who is calling: bearer tokens with a role, compared in constant time; without tokens the caller is 'local', and the
// listener is on loopback only. Missing, wrong and too short tokens get one and the same answer (HARDENING M01).
// Failures draw on one budget for all clients: beyond it they are 429. A right token is never asked for the budget, so
// that nobody can lock the owner out.

import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiProblem } from './problem.ts';

export type Role = 'viewer' | 'operator';

export interface AdminTokenLike {
  readonly name: string;
  readonly token: string;
  readonly role: Role;
}

export interface Caller {
  /** Name of the token, for the audit log. */
  readonly name: string;
  readonly role: Role;
}

/** Throws the 401 or 429 of a caller who is not known. `authorization` is the field's value. */
export type IdentifyCaller = (authorization: string | undefined) => Caller;

/** Requests that are answered for longer, and whose tokens may be taken back meanwhile. */
export class CallersOnLine {
  readonly #all = new Map<
    AbortController,
    { readonly authorization: string | undefined; readonly name: string }
  >();

  /** Aborted when the token is taken back; `gone` when the request has ended. */
  add(authorization: string | undefined, { name }: Caller, gone: (forget: () => void) => void): AbortSignal {
    const revoked = new AbortController();
    this.#all.set(revoked, { authorization, name });
    gone(() => this.#all.delete(revoked));
    return revoked.signal;
  }

  /** Ends those of callers whom `identify`, fresh and with a budget of its own, does not know by the same name. */
  review(identify: IdentifyCaller): void {
    for (const [revoked, { authorization, name }] of [...this.#all]) {
      if (isStill(name, () => identify(authorization))) continue;
      this.#all.delete(revoked);
      revoked.abort();
    }
  }
}

function isStill(name: string, caller: () => Caller): boolean {
  try {
    return caller().name === name;
  } catch {
    return false;
  }
}

const LOCAL: Caller = { name: 'local', role: 'operator' };
/** A person mistypes a handful of times; beyond this a second, failures are a machine's. */
const FAILURE_BURST = 30;
const FAILURES_PER_SECOND = 5;
/** RFC 6750 section 2.1, but any visible ASCII: operators choose their tokens. */
const BEARER = /^Bearer ([\x21-\x7e]+)$/i;

export function callerIdentifier(tokens: readonly AdminTokenLike[], nowMs: () => number): IdentifyCaller {
  if (tokens.length === 0) return () => LOCAL;
  // A missing token is compared as an empty one.
  if (tokens.some(({ token }) => token === '')) throw new Error('An admin token is empty.');
  const known = tokens.map(({ name, role, token }) => ({ caller: { name, role }, digest: sha256(token) }));
  const spend = failureBudget(nowMs);
  return (authorization) => {
    const given = sha256(BEARER.exec(authorization ?? '')?.[1] ?? '');
    let found: Caller | null = null;
    // All of them, always: how long it takes tells neither which one nor whether there is one.
    for (const { caller, digest } of known) if (timingSafeEqual(given, digest)) found = caller;
    if (found !== null) return found;
    throw spend() ? unauthorized() : tooManyFailures();
  };
}

/** Answers whether a failure is still within the budget. */
function failureBudget(nowMs: () => number): () => boolean {
  let left = FAILURE_BURST;
  let countedAtMs = nowMs();
  return () => {
    const now = nowMs();
    const refill = (Math.max(0, now - countedAtMs) / 1000) * FAILURES_PER_SECOND;
    left = Math.min(FAILURE_BURST, left + refill);
    countedAtMs = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

export function unauthorized(): ApiProblem {
  return new ApiProblem(401, 'unauthorized', 'A valid bearer token is needed.', {
    headers: { 'www-authenticate': 'Bearer realm="lockstep"' },
  });
}

function tooManyFailures(): ApiProblem {
  return new ApiProblem(429, 'too-many-failures', 'Too many wrong tokens. Wait a second.', {
    headers: { 'retry-after': '1' },
  });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
