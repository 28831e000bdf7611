// Load, always from a process of its own. wrk where it is installed: it costs so little that the proxy is the bottleneck.
// Else autocannon, which can be the bottleneck itself: then requests a second say little, CPU for each request still does.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '../programs.ts';

export interface LoadPlan {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  /** Besides Host, Cookie and those of the body: `Name: value`. */
  readonly fields: readonly string[];
  /** Cookie values, taken in turns; none: no Cookie field. */
  readonly cookies: readonly string[];
  readonly body: { readonly bytes: number; readonly isChunked: boolean } | null;
  readonly connections: number;
  /** Whole ones: that is what wrk takes. */
  readonly seconds: number;
}

export interface LoadResult {
  /** Answered with 2xx. */
  readonly requests: number;
  readonly seconds: number;
  /** Answers of another status, and connections or requests that failed. */
  readonly failed: number;
}

export type Loader = 'wrk' | 'autocannon';

const run = promisify(execFile);
const CHUNK_BYTES = 16 * 1024;

export function installedLoader(): Loader {
  return findProgram('wrk') === null ? 'autocannon' : 'wrk';
}

export async function load(loader: Loader, plan: LoadPlan): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-load-'));
  try {
    return loader === 'wrk' ? await loadByWrk(plan, folder) : await loadByAutocannon(plan, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whole requests are made before the start and sent as they are; the script only counts through them. */
async function loadByWrk(plan: LoadPlan, folder: string): Promise<LoadResult> {
  const [before, after] = requestAround(plan);
  writeFileSync(join(folder, 'before'), before);
  writeFileSync(join(folder, 'after'), after);
  writeFileSync(join(folder, 'cookies'), plan.cookies.join('\n'));
  const script = join(folder, 'plan.lua');
  writeFileSync(script, WRK_SCRIPT.replaceAll('FOLDER', folder));
  const url = `http://127.0.0.1:${plan.port}${plan.path}`;
  const { stdout } = await run(
    findProgram('wrk')!,
    ['-t1', `-c${plan.connections}`, `-d${plan.seconds}s`, '--timeout', '10s', '-s', script, url],
    { timeout: (plan.seconds + 30) * 1_000 },
  );
  const line = stdout.split('\n').find((one) => one.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said nothing of use: ${stdout}`);
  const { requests, us, failed } = JSON.parse(line) as { requests: number; us: number; failed: number };
  return { requests, failed, seconds: us / 1e6 };
}

/** What stands before and behind the Cookie field. */
function requestAround({ method, path, port, fields, body }: LoadPlan): readonly [string, string] {
  const before = [`${method} ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...fields];
  if (body === null) return [`${before.join('\r\n')}\r\n`, '\r\n'];
  const framing = body.isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.bytes}`;
  return [`${[...before, framing].join('\r\n')}\r\n`, `\r\n${framedBody(body)}`];
}

function framedBody({ bytes, isChunked }: NonNullable<LoadPlan['body']>): string {
  if (!isChunked) return 'u'.repeat(bytes);
  const chunk = `${CHUNK_BYTES.toString(16)}\r\n${'u'.repeat(CHUNK_BYTES)}\r\n`;
  return `${chunk.repeat(Math.ceil(bytes / CHUNK_BYTES))}0\r\n\r\n`;
}

const WRK_SCRIPT = `
local function read(name)
  local file = io.open("FOLDER/" .. name, "rb")
  local text = file:read("*a")
  file:close()
  return text
end
local requests, at = {}, 0
function init()
  local before, after = read("before"), read("after")
  for cookie in read("cookies"):gmatch("[^\\n]+") do
    requests[#requests + 1] = before .. "Cookie: " .. cookie .. "\\r\\n" .. after
  end
  if #requests == 0 then requests[1] = before .. after end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  print(string.format('{"requests":%d,"us":%d,"failed":%d}', summary.requests - e.status, summary.duration, failed))
end
`;

async function loadByAutocannon(plan: LoadPlan, folder: string): Promise<LoadResult> {
  if (plan.body?.isChunked === true) throw new Error('autocannon cannot send chunks: wrk is needed');
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const program = fileURLToPath(new URL('./autocannon.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [program, file], { timeout: (plan.seconds + 30) * 1_000 });
  return JSON.parse(stdout) as LoadResult;
}
