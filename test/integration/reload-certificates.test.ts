// A certificate that was renewed in its file is offered from the next reload on, without a restart and without closing
// a connection; one that cannot be used is refused, and the old one goes on being offered.

import { execFileSync } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

describe.skipIf(!needsTool('openssl'))('a certificate that was renewed', () => {
  let folder: TemporaryFolder;
  let upstream: Upstream;
  let gateway: GatewayProcess;
  let port: number;

  const file = (name: string) => join(folder.path, name);
  const make = (name: string) => {
    const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)];
    const kind = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ];
    execFileSync(findTool('openssl')!, ['req', ...kind, ...out, '-subj', `/CN=${name}`], { stdio: 'pipe' });
  };
  const install = async (certificate: string, key = certificate) => {
    await copyFile(file(`${certificate}.crt`), file('site.crt'));
    await copyFile(file(`${key}.key`), file('site.key'));
  };
  const settings = () => ({
    versions: { v1: [upstream.url] },
    active: 'v1',
    listen: [{ address: `127.0.0.1:${port}`, tls: { cert: file('site.crt'), key: file('site.key') } }],
  });
  /** Whose certificate was shown, and on which local port. */
  const ask = (agent: Agent) =>
    new Promise<{ name: string; status: number; localPort: number }>((resolve, reject) => {
      const options = { agent, rejectUnauthorized: false };
      request(`https://127.0.0.1:${port}/api/x`, options, (response) => {
        const { localPort = 0 } = response.socket;
        const name = String((response.socket as TLSSocket).getPeerCertificate().subject?.CN);
        response.resume().once('end', () => resolve({ name, status: response.statusCode ?? 0, localPort }));
      })
        .once('error', reject)
        .end();
    });
  const fresh = () => ask(new Agent({ keepAlive: false, maxCachedSessions: 0 }));

  beforeEach(async () => {
    folder = await temporaryFolder('tls');
    upstream = await startUpstream({ version: 'v1' });
    port = await freePort();
    make('old');
    make('new');
    await install('old');
    gateway = await startGatewayProcess(settings());
  });
  afterEach(async () => {
    await gateway?.stop();
    await upstream?.stop();
    await folder?.remove();
  });

  test('is offered to new connections after a reload, and open ones go on', async () => {
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = await ask(kept);
    expect(first).toMatchObject({ name: 'old', status: 200 });
    await install('new');
    expect(await fresh()).toMatchObject({ name: 'old' });
    expect((await gateway.admin.call('POST', '/v1/reload')).status).toBe(200);
    expect(await fresh()).toMatchObject({ name: 'new', status: 200 });
    expect(await ask(kept), 'the same connection').toEqual(first);
    kept.destroy();
  });

  test.each([
    { name: 'whose key is another one', spoil: () => install('new', 'old') },
    { name: 'that is none', spoil: () => writeFile(file('site.crt'), 'nothing') },
  ])('$name is refused, and the old one stays', async ({ spoil }) => {
    await spoil();
    const answer = await gateway.admin.call('POST', '/v1/reload');
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: object[] }>().errors).toMatchObject([{ path: 'listen' }]);
    expect(await fresh()).toMatchObject({ name: 'old', status: 200 });
  });
});
