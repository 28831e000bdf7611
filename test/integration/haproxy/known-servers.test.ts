// HAProxy's servers are handed on to whoever keeps the list of servers: none is ever taken for gone because HAProxy was not
// asked, because the section was changed, or because the gateway stops.

import { createServer } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { KnownServer } from '../../../src/core/server.ts';
import { EMPTY_TABLE } from '../../../src/core/table.ts';
import { openHaproxy } from '../../../src/open-haproxy.ts';
import { freePorts } from '../../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../../kit/gateway-config.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Scene, startScene } from './scene.ts';

describe.skipIf(!needsTool('haproxy'))('the servers of HAProxy', () => {
  let scene: Scene;
  let folder: TemporaryFolder;

  beforeEach(async () => {
    scene = await startScene();
    folder = await temporaryFolder('known');
  });

  afterEach(async () => {
    await scene.stop();
    await folder.remove();
  });

  const configOf = (section: string): Config => {
    const parsed = parseConfig(`state: ${folder.path}\nhaproxy: ${section}`, 'test.yaml', {});
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.config;
  };
  const open = async (section: string) => {
    const told: (readonly KnownServer[])[] = [];
    const haproxy = await openHaproxy(configOf(section), {
      table: () => EMPTY_TABLE,
      tell: () => {},
      onServers: (servers) => told.push(servers),
      log: pino({ level: 'silent' }),
    });
    return { haproxy, told };
  };

  it('are told of once, and again when they are others, and never as none while HAProxy is driven', async () => {
    const running = await scene.startHaproxy();
    const { haproxy, told } = await open(
      `{ sockets: [${running.socket}], backend: be_app, interval: 100ms }`,
    );
    await haproxy.start();
    await waitFor(() => told.length === 1, { what: 'them to be told of' });
    expect(told[0]).toEqual(
      scene.servers.map(({ address }, at) => ({ name: `web0${at + 1}`, address, source: 'haproxy' })),
    );
    await running.kill();
    await waitFor(() => haproxy.status?.processes[0]?.reachable === false, { what: 'it to be away' });
    await running.start();
    await waitFor(() => haproxy.status?.processes[0]?.reachable, { what: 'it to be back' });
    haproxy.configure(configOf(`{ sockets: [${running.tcpSocket}], backend: be_app }`).haproxy);
    await waitFor(() => haproxy.status?.processes[0]?.reachable && told.length === 2, {
      what: 'the other socket to be asked',
    });
    await haproxy.close();
    expect(told.map(({ length }) => length)).toEqual([4, 4]);
  });

  it('are none when HAProxy is left alone', async () => {
    const running = await scene.startHaproxy();
    const { haproxy, told } = await open(
      `{ sockets: [${running.socket}], backend: be_app, interval: 100ms }`,
    );
    await haproxy.start();
    await waitFor(() => told.length === 1, { what: 'them to be told of' });
    haproxy.configure(null);
    await waitFor(() => told.length === 2, { what: 'them to be none' });
    expect(told[1]).toEqual([]);
    await haproxy.close();
  });

  it('are not asked for where the agent’s address cannot be had: the start says so', async () => {
    const [port] = await freePorts(1);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
    const { haproxy } = await open(`{ agent: 127.0.0.1:${port} }`);
    await expect(haproxy.start()).rejects.toThrow(
      `haproxy.agent: 127.0.0.1:${port} cannot be had: listen EADDRINUSE`,
    );
    await haproxy.close();
    await new Promise<void>((resolve) => taken.close(() => resolve()));
  });
});
