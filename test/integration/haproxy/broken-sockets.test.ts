// Sockets that hang, close half way or answer garbage: nothing waits for them longer than it was told, nothing is believed
// by halves, and the gateway goes on. HAProxy that is killed, reloaded or replaced in the middle of a promote is as good.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type BrokenRuntimeSocket,
  type LineHandler,
  passOn,
  startBrokenRuntimeSocket,
} from '../../kit/broken-runtime-socket.ts';
import { askSocket, type DrivenHaproxy } from '../../kit/driven-haproxy.ts';
import { needsTool } from '../../kit/tools.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Scene, startScene, statesAre } from './scene.ts';

const FAULTS: readonly {
  readonly name: string;
  readonly by: (haproxy: DrivenHaproxy) => LineHandler;
  readonly want: string;
}[] = [
  { name: 'hangs', by: () => () => {}, want: 'did not answer within 1000 ms' },
  {
    name: 'closes half way',
    by: (haproxy) => (line, socket) =>
      void askSocket(haproxy.socket, line).then((answer) => socket.end(answer.slice(0, answer.length * 0.6))),
    want: 'closed before it had answered',
  },
  {
    name: 'names a server that would be a command',
    by: (haproxy) => (line, socket) =>
      void askSocket(haproxy.socket, line).then((answer) =>
        socket.end(answer.replaceAll('web01', 'web01;shutdown')),
      ),
    want: 'calls a server "web01;shutdown"',
  },
  {
    name: 'says that it has run for longer than there is time',
    by: (haproxy) => (line, socket) =>
      void askSocket(haproxy.socket, line).then((answer) =>
        socket.end(answer.replace(/^(Uptime_sec|Start_time_sec): \d+$/gm, '$1: 999999999999999')),
      ),
    want: 'answers show info with',
  },
];

/** v1 is not drained before a test has looked. */
const STAYS = { cookie: { idle: '30m' } };

describe.skipIf(!needsTool('haproxy'))('a runtime socket', () => {
  let scene: Scene;
  let haproxy: DrivenHaproxy;
  let proxy: BrokenRuntimeSocket;

  beforeEach(async () => {
    scene = await startScene();
    haproxy = await scene.startHaproxy();
    proxy = await startBrokenRuntimeSocket(passOn(haproxy.socket));
  });

  afterEach(async () => {
    await scene.stop();
    await proxy.stop();
  });

  it.each(FAULTS)('that $name is shown, and changes go on without it', async ({ by, want }) => {
    const { admin } = await scene.startGateway({ sockets: [proxy.socket] }, STAYS);
    await statesAre(haproxy, 'ready ready drain drain');
    await admin.wait('v2', 'healthy');
    proxy.handle(by(haproxy));
    const away = await waitFor(
      async () => {
        const [process] = (await admin.status()).haproxy!.processes;
        return process!.reachable ? null : process;
      },
      { what: 'the socket to be told of as away' },
    );
    expect(away!.error).toContain(want);
    await admin.promote('v2');
    expect((await admin.status()).active).toBe('v2');
    proxy.handle(passOn(haproxy.socket));
    await statesAre(haproxy, 'ready ready ready ready');
  });

  it.each([
    {
      name: 'hangs',
      by: (): LineHandler => () => {},
    },
    { name: 'answers garbage', by: (): LineHandler => (_, socket) => void socket.end('?\n\n') },
  ])('that $name in the middle of a step fails it, and the other process is set back', async ({ by }) => {
    const other = await scene.startHaproxy();
    const { admin } = await scene.startGateway({ sockets: [proxy.socket, other.socket] }, STAYS);
    await Promise.all([haproxy, other].map((each) => statesAre(each, 'ready ready drain drain')));
    await admin.wait('v2', 'healthy');
    let isBroken = false;
    proxy.handle((line, socket) => {
      isBroken ||= line.includes('web03 state ready');
      (isBroken ? by() : passOn(haproxy.socket))(line, socket);
    });
    const refused = await admin.call('POST', '/v1/versions/v2/promote', {});
    expect(refused.json<{ code: string }>().code).toBe('haproxy-not-ready');
    await statesAre(other, 'ready ready drain drain');
    proxy.handle(passOn(haproxy.socket));
    await admin.promote('v2');
    await Promise.all([haproxy, other].map((each) => statesAre(each, 'ready ready ready ready')));
  });
});

describe.skipIf(!needsTool('haproxy'))('HAProxy in the middle of a promote', () => {
  let scene: Scene;
  let haproxy: DrivenHaproxy;
  let proxy: BrokenRuntimeSocket;

  beforeEach(async () => {
    scene = await startScene();
    haproxy = await scene.startHaproxy({ isMaster: true });
    proxy = await startBrokenRuntimeSocket(passOn(haproxy.socket));
  });

  afterEach(async () => {
    await scene.stop();
    await proxy.stop();
  });

  /** Does something to HAProxy when the step of v2 arrives, before or after HAProxy has carried it out. */
  const amid = (when: 'before' | 'after', act: () => Promise<void>): void => {
    let isDone = false;
    const pass = passOn(haproxy.socket);
    proxy.handle((line, socket) => {
      if (isDone || !line.includes('web03 state ready')) return pass(line, socket);
      isDone = true;
      const first = when === 'after' ? askSocket(haproxy.socket, line).then(() => {}) : Promise.resolve();
      void first.then(act).then(() => (when === 'after' ? socket.destroy() : pass(line, socket)));
    });
  };
  const promoteAmid = async (when: 'before' | 'after', act: () => Promise<void>) => {
    const { admin } = await scene.startGateway({ sockets: [proxy.socket], timeout: '20s' });
    await statesAre(haproxy, 'ready ready drain drain');
    await admin.wait('v2', 'healthy');
    amid(when, act);
    await admin.promote('v2');
    expect((await admin.status()).active).toBe('v2');
    return admin;
  };

  it.each(['before', 'after'] as const)(
    'is reloaded, %s it has taken its part, and is set all the same',
    async (when) => {
      const admin = await promoteAmid(when, () => haproxy.reload());
      expect(await haproxy.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
      await admin.waitForDrained('v1');
      await statesAre(haproxy, 'drain drain ready ready');
    },
  );

  it.each(['before', 'after'] as const)(
    'is replaced, %s it has taken its part, and is set all the same',
    async (when) => {
      await promoteAmid(when, async () => {
        await haproxy.kill();
        await haproxy.start();
      });
      expect(await haproxy.states()).toMatchObject({ web03: 'ready', web04: 'ready' });
    },
  );

  it('is killed: the promote goes on, and it is set when it is back', async () => {
    const admin = await promoteAmid('after', async () => {
      await haproxy.kill();
      await proxy.leave();
    });
    await admin.waitForDrained('v1');
    await haproxy.start();
    await proxy.comeBack();
    await statesAre(haproxy, 'drain drain ready ready');
  });
});
