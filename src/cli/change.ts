// What the changing verbs share: one request with dryRun and If-Match, then the answer in sentences or as JSON.

import type { ChangeReport } from '../core/status.ts';
import type { CallOptions } from './client.ts';
import { EXIT, type ExitCode, usageFailure } from './failure.ts';
import { callOnce } from './once.ts';
import { tellReport } from './report.ts';
import { type Call, clientOf, isSet, printJson, textOf } from './verb.ts';

/** `fallback` is said of a change that moved no version: an upstream enabled, a pool replaced. */
export async function change(
  call: Call,
  path: string,
  options: CallOptions & { readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' },
  fallback: string,
): Promise<ExitCode> {
  const report = (await callOnce(clientOf(call), path, {
    ...options,
    query: isSet(call, 'dry-run') ? { dryRun: 'true' } : {},
    headers: ifMatchOf(call),
  })) as ChangeReport;
  const { terminal } = call;
  if (isSet(call, 'json')) printJson(terminal, report);
  else terminal.out(tellReport(report, fallback, { ...terminal, nowMs: terminal.nowMs() }));
  return EXIT.done;
}

export function versionPath(id: string, verb = ''): string {
  return `/v1/versions/${encodeURIComponent(id)}${verb === '' ? '' : `/${verb}`}`;
}

export function ifMatchOf(call: Call): Record<string, string> {
  const epoch = textOf(call, 'if-match');
  if (epoch === null) return {};
  if (!/^\d{1,15}$/.test(epoch)) {
    throw usageFailure('--if-match: expected the epoch that lockstep status shows', call.verb);
  }
  return { 'if-match': `"${epoch}"` };
}
