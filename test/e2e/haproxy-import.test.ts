// A shop behind HAProxy, deployed by halves: web01 and web02 serve V1, web03 and web04 are disabled in its file. The file
// is imported with `lockstep import --split`, and Lockstep takes HAProxy's place, at the address that HAProxy had. It
// answers as HAProxy did, from the same servers, a session stays on its server as it did, and the other half, updated
// meanwhile, is promoted with one command.

import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminClient } from '../kit/admin-client.ts';
import { browserWithCookies } from '../kit/browser.ts';
import { freePorts } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { startPool, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));

/** As an operator has it: web03 and web04 are out. */
function haproxyFile(port: number, servers: readonly Upstream[]): string {
  const lines = servers.map(
    ({ address }, index) =>
      `    server web0${index + 1} ${address} cookie w${index + 1}${index < 2 ? '' : ' disabled'}`,
  );
  return `global
    maxconn 500
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    timeout http-keep-alive 5s
frontend shop
    bind "127.0.0.1:\${SHOP_PORT-${port}}"
    option forwardfor
    default_backend be_shop
backend be_shop
    balance roundrobin
    option httpchk GET /healthz
    http-check expect status 200
    cookie SRV insert indirect nocache
    default-server check inter 500ms rise 1 fall 2
${lines.join('\n')}
`;
}

describe.skipIf(!needsTool('haproxy'))('HAProxy, replaced by what was imported from it', () => {
  let folder: TemporaryFolder;
  let old: readonly Upstream[];
  let updated: readonly Upstream[];
  let running: TestProcess;
  let origin: string;
  let file: string;
  let ports: readonly number[];

  beforeAll(async () => {
    folder = await temporaryFolder('import');
    old = await startPool('v1', 2);
    updated = await startPool('v2', 2);
    ports = await freePorts(2);
    origin = `http://127.0.0.1:${ports[0]}`;
    file = join(folder.path, 'haproxy.cfg');
    await writeFile(file, haproxyFile(ports[0]!, [...old, ...updated]));
    running = startProcess(findTool('haproxy')!, ['-db', '-f', file]);
    await answers();
  });
  afterAll(async () => {
    await running?.stop('SIGKILL');
    await folder?.remove();
    await Promise.all([...(old ?? []), ...(updated ?? [])].map((upstream) => upstream.stop()));
  });

  /** What serves the address serves a page. */
  async function answers(): Promise<void> {
    await waitFor(
      async () => (await httpRequest(`${origin}/`, { timeoutMs: 2_000 }).catch(() => null))?.status === 200,
      { what: 'an answer from the old servers', timeoutMs: 40_000 },
    );
  }
  const counts = () => old.map((upstream) => upstream.requestCount());

  async function browse(pages: number): Promise<readonly number[]> {
    const before = counts();
    const browser = browserWithCookies({ origin });
    const tab = browser.openTab();
    for (let page = 0; page < pages; page++) await tab.load('/');
    await tab.ajax('/api/cart');
    browser.close();
    expect({ failures: browser.failures, mismatches: browser.mismatches }).toEqual({
      failures: [],
      mismatches: [],
    });
    return counts().map((count, index) => count - before[index]!);
  }

  test('the same servers answer, each session from one of them, and the other half is one command away', {
    timeout: 180_000,
  }, async () => {
    const throughHaproxy = await browse(4);
    expect(throughHaproxy.filter((count) => count > 0)).toHaveLength(1);
    const args = ['import', file, '--split', 'web01,web02|web03,web04'];
    const yaml = execFileSync(process.execPath, [COMMAND, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await running.stop('SIGTERM');

    const config = join(folder.path, 'lockstep.yaml');
    const ownAdmin = `admin: { listen: "127.0.0.1:${ports[1]}" }\nthreads: 1\nlog: { access: off, level: error }\n`;
    await writeFile(config, `${yaml}\n${ownAdmin}`);
    running = startProcess(process.execPath, [COMMAND, 'serve', '--config', config]);
    const admin = adminClient(`http://127.0.0.1:${ports[1]}`);
    await answers();
    const throughLockstep = await browse(4);
    expect(throughLockstep.filter((count) => count > 0)).toHaveLength(1);
    expect(updated.map((upstream) => upstream.requestCount())).toEqual([0, 0]);

    const kept = browserWithCookies({ origin });
    const page = kept.openTab();
    await page.load('/');
    await admin.wait('v2', 'healthy', '40s');
    await admin.promote('v2');
    const fresh = browserWithCookies({ origin });
    await fresh.openTab().load('/');
    await page.ajax('/api/cart');
    expect([...fresh.answered.keys(), ...kept.answered.keys()]).toEqual(['v2', 'v1']);
    expect([...fresh.failures, ...kept.failures, ...kept.mismatches]).toEqual([]);
    fresh.close();
    kept.close();
  });
});
