// The scenarios of test/vtc, played by Debian's varnishtest: its client in front of the gateway, its server behind it, both
// written by people who test caches and proxies for a living, neither sharing a line with this repository.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { startProcess } from '../kit/processes.ts';
import { silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { PIN_KEY, pinOf } from '../kit/two-versions.ts';

const FOLDER = fileURLToPath(new URL('../vtc/', import.meta.url));
const SCENARIOS = readdirSync(FOLDER).filter((name) => name.endsWith('.vtc'));

describe.skipIf(!needsTool('varnishtest'))('varnishtest', () => {
  let gateway: TestGateway;
  let application: string;
  beforeEach(async () => {
    // Its server counts connections and must see no check: somebody else is checked in its place, once.
    const checked = await startRawUpstream(() => silent);
    application = checked.address;
    gateway = await startGateway({
      versions: { v1: [`http://${application}`] },
      active: 'v1',
      cookie: { keys: [PIN_KEY] },
      health: { interval: '1h' },
    });
    await checked.stop();
  });
  afterEach(() => gateway?.stop());

  test.each(SCENARIOS)('%s', async (name) => {
    const program = startProcess(findTool('varnishtest')!, [
      ...['-t', '20', '-D', `gateway=${gateway.host}:${gateway.port}`, '-D', `application=${application}`],
      ...['-D', `pin=${pinOf({ version: 'v1' })}`, `${FOLDER}${name}`],
    ]);
    const code = await program.exit;
    expect(code, program.stdout() + program.stderr()).toBe(0);
    expect(program.stdout()).toContain('passed');
  });
});
