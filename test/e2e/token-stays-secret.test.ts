// M09: a gateway takes its token from the environment, the command too. It is used, mistyped, put where it does not
// belong; and then stands in nothing that either of them printed, answered, stored or shows in the process list.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminClient } from '../kit/admin-client.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));
const TOKEN = 'Wq8-tR2mXv5zLk9cNb3j';
const HOOK = 'gH7-nC4sYd1wPz6xQf0u';
const VARIABLES = { TEST_ADMIN_TOKEN: TOKEN, TEST_HOOK_SECRET: HOOK };

let upstream: Upstream;
let gateway: GatewayProcess;
beforeAll(async () => {
  Object.assign(process.env, VARIABLES);
  upstream = await startUpstream({ version: 'v1' });
  gateway = await startGatewayProcess({
    versions: { v1: [upstream.url] },
    active: 'v1',
    accessLog: 'stdout',
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of the file
    tokens: [{ name: 'ci', token: '${TEST_ADMIN_TOKEN}', role: 'operator' }],
    more: {
      log: { access: 'stdout', level: 'debug' },
      hooks: [
        { on: ['put'], url: 'http://127.0.0.1:1/x?${TEST_HOOK_SECRET}', secret: '${TEST_HOOK_SECRET}' },
      ],
    },
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of the file
  });
});
afterAll(async () => {
  for (const name of Object.keys(VARIABLES)) delete process.env[name];
  await gateway?.stop();
  await upstream?.stop();
});

function lockstep(args: readonly string[], env: Record<string, string>): TestProcess {
  return startProcess(process.execPath, [COMMAND, ...args], {
    env: { LOCKSTEP_ADMIN: gateway.admin.url, ...env },
  });
}

const commandLineOf = (pid: number) => readFile(`/proc/${pid}/cmdline`, 'latin1');

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return Promise.all(names.map((name) => readFile(join(folder, name), 'latin1').catch(() => '')));
}

test('M09: a token from the environment is in no output, answer, file or process list', async () => {
  const texts: Record<string, string> = {};
  const keep = (name: string, text: string) => {
    texts[name] = text;
  };
  const admin = adminClient(gateway.admin.url, TOKEN);
  expect((await admin.call('GET', '/v1/status')).status).toBe(200);

  keep('put', (await admin.put('v2', ['http://10.255.255.1:9'])).text());
  keep('token in the query', (await admin.call('GET', `/v1/status?token=${TOKEN}`)).text());
  keep('token in the path', (await admin.call('GET', `/v1/${TOKEN}`)).text());
  keep(
    'token as an id',
    (await admin.call('POST', `/v1/versions/%20${TOKEN}x/drain`)).text().replaceAll(` ${TOKEN}x`, ''),
  );
  keep('token in a broken body', (await admin.call('POST', '/v1/rollback', `{"token": ${TOKEN}`)).text());
  keep(
    'wrong scheme',
    (
      await httpRequest(`${gateway.admin.url}/v1/status`, { headers: { authorization: `Basic ${TOKEN}` } })
    ).text(),
  );
  for (const path of ['/metrics', '/v1/audit', '/v1/config', '/v1/status', '/openapi.json']) {
    keep(path, (await admin.call('GET', path)).text());
  }
  await admin.call('POST', '/v1/reload', {});

  const watching = lockstep(['events'], { LOCKSTEP_TOKEN: TOKEN });
  keep('ps of the command', await commandLineOf(watching.pid));
  await watching.stop('SIGINT');
  const good = lockstep(['status'], { LOCKSTEP_TOKEN: TOKEN });
  const bad = lockstep(['status'], { LOCKSTEP_TOKEN: `${TOKEN}x` });
  expect([await good.exit, await bad.exit]).toEqual([0, 1]);
  for (const [name, ran] of Object.entries({ good, bad, watching })) keep(name, ran.stdout() + ran.stderr());
  expect(texts['bad']).toContain('the token was not accepted');

  keep('ps of the gateway', await commandLineOf(gateway.process().pid));
  await httpRequest(`${gateway.url}/shop`);
  await gateway.terminate();
  keep('logs', gateway.process().stdout() + gateway.process().stderr());
  expect(texts['logs']).toContain('without a valid token');
  expect(texts['logs']).toContain('/shop');
  keep('state', (await filesIn(gateway.stateDir)).join('\n'));
  for (const [name, text] of Object.entries(texts)) {
    expect([name, text.includes(TOKEN), text.includes(HOOK)]).toEqual([name, false, false]);
  }
});
