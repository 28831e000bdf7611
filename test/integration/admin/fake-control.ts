// A control plane without a gateway: it remembers what it was asked, and answers what a test told it to.

import type {
  ChangeOptions,
  ChangeOutcome,
  ConfigPort,
  ControlPort,
  ExplainPort,
  PreviewPort,
  SkewPort,
  WaitOutcome,
} from '../../../src/admin/port.ts';
import type { AdminLog } from '../../../src/admin/routes.ts';
import { type Admin, type AdminSettings, createAdmin } from '../../../src/admin/server.ts';
import type { AskedRequest } from '../../../src/core/asked-request.ts';
import type { Change } from '../../../src/core/deployment.ts';
import type { StopOutcome, StopWish } from '../../../src/core/may-stop.ts';
import type { AuditEntry, GatewayEvent, Status, StopAnswer } from '../../../src/core/status.ts';
import { explanation } from '../../unit/cli/explanation-fixtures.ts';
import { report } from '../../unit/cli/status-fixtures.ts';
import { fakeServers } from './fake-servers.ts';

export interface FakeControl extends ControlPort {
  readonly asked: { change: Change; options: ChangeOptions }[];
  readonly waits: { id: string; goal: string; timeoutMs: number; signal: AbortSignal }[];
  now: Status;
  ready: boolean;
  /** Whether the caller of the last change has left. */
  left: () => boolean;
  /** Answers a change; the default one reports no changes. */
  onChange: (change: Change, options: ChangeOptions) => ChangeOutcome | Promise<ChangeOutcome>;
  readonly stopWishes: StopWish[];
  onMayStop: (wish: StopWish) => Promise<StopOutcome>;
  onGiveBack: ControlPort['giveBack'];
  onWait: (id: string, timeoutMs: number, signal: AbortSignal) => Promise<WaitOutcome | null>;
  emit(type: GatewayEvent['type'], version: string | null, detail?: GatewayEvent['detail']): void;
  listeners(): number;
}

const NO: StopAnswer = {
  server: 'web01',
  address: '127.0.0.1:9101',
  may: false,
  why: ['last', 'sessions'],
  of: 'v1',
  emptyAt: '2026-03-01T03:33:00.000Z',
  detail: 'web01 is the last available server of v1, which is draining: 12 live sessions.',
  versions: ['v1'],
  inFlight: 2,
  promise: { by: 'ci', until: '2026-03-01T03:14:00.000Z' },
};

export function refusal(
  status: 400 | 404 | 409 | 412,
  code: string,
  detail: string,
): Extract<ChangeOutcome, { ok: false }> {
  return { ok: false, problem: { status, code, detail } };
}

export function fakeControl(now: Status): FakeControl {
  const events: GatewayEvent[] = [];
  const listeners = new Set<(event: GatewayEvent) => void>();
  const audit: AuditEntry[] = ['promote', 'put'].map((verb) => ({
    time: '2026-03-01T03:00:00.000Z',
    by: 'ci',
    verb,
    version: 'v2',
    detail: {},
    outcome: 'done',
    code: null,
    epochBefore: 40,
    epochAfter: 41,
    before: {},
    after: {},
  }));
  const find = (id: string) => control.now.versions.find((one) => one.id === id) ?? null;
  const control: FakeControl = {
    asked: [],
    waits: [],
    stopWishes: [],
    onMayStop: async () => ({ ok: true, answer: NO }),
    onGiveBack: async () => ({ ok: true, answer: NO }),
    now,
    ready: true,
    left: () => false,
    onChange: (_change, { dryRun }) => ({ ok: true, report: report(control.now, { dryRun }) }),
    onWait: async (id) => {
      const known = find(id);
      return known && { outcome: 'done', detail: `${id} is there.`, version: known };
    },
    status: () => control.now,
    version: find,
    change: async (change, options) => {
      const { leave, ...rest } = options;
      control.asked.push({ change, options: rest });
      control.left = () => leave?.aborted === true;
      return control.onChange(change, options);
    },
    sessions: async (id) =>
      find(id) && {
        version: id,
        live: 12,
        confirmed: 10,
        streams: 1,
        lastSeen: [
          { le: 60, count: 7 },
          { le: 1800, count: 3 },
          { le: null, count: 0 },
        ],
      },
    wait: (id, goal, timeoutMs, signal) => {
      control.waits.push({ id, goal, timeoutMs, signal });
      return control.onWait(id, timeoutMs, signal);
    },
    mayStop: async (wish) => {
      control.stopWishes.push(wish);
      return control.onMayStop(wish);
    },
    giveBack: (server) => control.onGiveBack(server),
    eventsSince: (sinceId) => events.filter((event) => event.id > sinceId),
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    audit: async (limit) => audit.slice(0, limit),
    isReady: () => control.ready,
    emit: (type, id, detail = {}) => {
      const event: GatewayEvent = {
        id: events.length + 1,
        time: '2026-03-01T03:12:00.000Z',
        type,
        version: id,
        detail,
      };
      events.push(event);
      for (const listener of listeners) listener(event);
    },
    listeners: () => listeners.size,
  };
  return control;
}

/** A configuration with one setting, that reloads to nothing new. */
export function fakeConfig(more: Partial<ConfigPort> = {}): ConfigPort {
  return {
    report: () => ({
      file: '/etc/lockstep.yaml',
      loadedAt: '2026-03-01T03:00:00.000Z',
      warnings: [],
      settings: [{ key: 'cookie.idle', value: '30m', from: 'file', line: 12, variables: [], pending: null }],
    }),
    reload: async ({ dryRun }) => ({
      ok: true,
      report: { dryRun, changed: [], needsRestart: [], warnings: [], notes: [], epoch: 41, versions: [] },
    }),
    ...more,
  };
}

/** Knows one request of the past, `p-1`, and repeats what it was asked. */
export function fakeExplainer(asked: AskedRequest[] = []): ExplainPort {
  return {
    explain: (request) => {
      asked.push(request);
      return explanation({ method: request.method, target: request.url });
    },
    past: async (id) =>
      id === 'p-1'
        ? explanation({
            past: {
              id,
              time: '2026-03-01T03:12:00.000Z',
              status: 502,
              failure: 'upstream-reset',
              retries: 1,
              totalMs: 12.5,
            },
          })
        : null,
  };
}

export const fakeSkew: SkewPort = {
  report: () => ({
    since: '2026-03-01T01:12:00.000Z',
    requests: 13,
    lastAt: '2026-03-01T03:05:00.000Z',
    versions: [{ page: 'v1', version: 'v2', requests: 13 }],
    paths: [
      {
        page: 'v1',
        version: 'v2',
        path: '/api/cart',
        requests: 12,
        lastAt: '2026-03-01T03:05:00.000Z',
        request: '0f3a-1z',
      },
    ],
  }),
};

export const fakePreviews: PreviewPort = {
  open: async ({ version, scope, to }) => ({
    ok: true,
    preview: {
      id: 'AAAAAAAA',
      version,
      until: '2026-03-01T05:12:00.000Z',
      scope,
      link: scope === 'browser' ? `/.lockstep/preview?t=secret&to=${to}` : null,
      field: scope === 'tab' ? 'x-lockstep-preview: secret' : null,
    },
  }),
};

export interface TestAdmin {
  readonly url: string;
  readonly port: number;
  /** Everything that was logged, as one text. */
  logged(): string;
  setTokens: Admin['setTokens'];
  close(): Promise<void>;
}

export async function startAdmin(
  control: ControlPort,
  more: Partial<AdminSettings> & { readonly host?: string; readonly port?: number } = {},
): Promise<TestAdmin> {
  const lines: string[] = [];
  const line = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  const log: AdminLog = { info: line, warn: line, error: line };
  const admin = await createAdmin({
    host: '127.0.0.1',
    port: 0,
    tokens: [],
    control,
    config: fakeConfig(),
    explainer: fakeExplainer(),
    previews: fakePreviews,
    skew: fakeSkew,
    servers: fakeServers(),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'lockstep_up 1\n' }),
    log,
    ...more,
  });
  const port = Number(new URL(admin.url).port);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    logged: () => lines.join('\n'),
    setTokens: admin.setTokens,
    close: admin.close,
  };
}
