// Servers as the admin API tells of them: one that the configuration has, one that an operator added.

import type { ServerStatus, ServersReport } from '../../../src/core/server-report.ts';

export const WEB01: ServerStatus = {
  name: 'web01',
  address: '10.0.0.1:8080',
  sources: ['config', 'dns'],
  weight: null,
  version: 'v1',
  health: 'up',
  reported: 'v1',
  why: null,
  added: null,
};

export const WEB05: ServerStatus = {
  name: 'web05',
  address: '10.0.0.5:8080',
  sources: ['admin'],
  weight: null,
  version: null,
  health: 'unknown',
  reported: null,
  why: 'the header x-app-version says nothing',
  added: { at: '2026-03-01T01:12:00.000Z', by: 'ci' },
};

export const SERVERS: readonly ServerStatus[] = [WEB01, WEB05];

export function sourceOf(
  source: ServersReport['sources'][number]['source'],
  of: string | null = null,
  more: Partial<ServersReport['sources'][number]> = {},
): ServersReport['sources'][number] {
  return {
    source,
    of,
    servers: 1,
    goodAt: null,
    trouble: null,
    missing: 0,
    refused: [],
    isLeaving: false,
    ...more,
  };
}

export function reportOf(more: Partial<ServersReport> = {}): ServersReport {
  const sources = [sourceOf('config'), sourceOf('admin'), sourceOf('dns', 'app.internal:8080')];
  return { discovery: true, servers: SERVERS, sources, leftOut: 0, clashes: [], ...more };
}
