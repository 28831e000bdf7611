// T18: a data-plane thread dies or hangs, in a gateway as operators run it. Two threads serve browsers, of which each keeps
// one connection and one event stream; a slow request is under way on every other connection. Then one of the threads
// meets its end. What it had under way is lost, nothing else: the browsers of the other thread notice nothing, those of
// the dead one connect anew and stay on their version. It is replaced, and said so. Its counts of what is open go with it,
// so that a drain ends; its counts of what has been do not. A promote that meets the death waits for it, and no version is
// minted that some thread would not accept.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Agent, type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, type TestContext, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type Answer, httpRequest } from '../kit/http-request.ts';
import { sumOf } from '../kit/prometheus.ts';
import { FAULTS, type Fault, withThreadFaults } from '../kit/thread-faults.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const BROWSERS = 16;

/** Scenes run beside each other: each test ends what it started, the last first. */
type Ends = TestContext['onTestFinished'];

interface Scene {
  readonly v1: Upstream;
  readonly v2: Upstream;
  readonly gateway: GatewayProcess;
  readonly log: string;
  /** Resolves when one of the threads has met it. */
  inflict(fault: Fault): Promise<void>;
}

async function startScene(ends: Ends): Promise<Scene> {
  const folder: TemporaryFolder = await temporaryFolder('threads');
  ends(() => folder.remove());
  const [v1, v2] = [await startUpstream({ version: 'v1' }), await startUpstream({ version: 'v2' })];
  ends(() => v1.stop());
  ends(() => v2.stop());
  const log = join(folder.path, 'access.log');
  const gateway = await startGatewayProcess(
    {
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      cookie: { idle: '1s' },
      accessLog: { file: log },
      more: { threads: 2 },
    },
    (_stateDir, command) => withThreadFaults(command, folder.path),
  );
  ends(() => gateway.stop());
  const inflict = async (fault: Fault): Promise<void> => {
    const file = join(folder.path, fault);
    await writeFile(file, '');
    await waitFor(() => !existsSync(file), { what: 'a thread to take it' });
  };
  return { v1, v2, gateway, log, inflict };
}

/** Asks again and again on one connection, as long as that lives, and has an event stream beside it. */
class Browser {
  readonly versions = new Set<string>();
  readonly sessions = new Set<string>();
  asked = 0;
  failures = 0;
  streamEnded = false;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  #stream: ClientRequest | null = null;
  #cookie = '';
  #isOver = false;
  #running: Promise<void> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  async open(): Promise<void> {
    await this.#ask('/');
    const stream = request(`${this.#url}/sse`, { headers: { cookie: this.#cookie } });
    this.#stream = stream;
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.once('response', (answer) => {
        answer.on('data', () => {});
        answer.on('error', () => {});
        answer.once('close', () => {
          this.streamEnded = true;
        });
        resolve();
      });
      stream.end();
    });
    stream.on('error', () => {});
    this.#running = this.#browse();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#stream?.destroy();
    this.#agent.destroy();
  }

  async #browse(): Promise<void> {
    while (!this.#isOver) {
      await this.#ask('/api/cart').catch(() => {
        this.failures++;
      });
      await sleep(10);
    }
  }

  async #ask(path: string): Promise<void> {
    this.asked++;
    const headers = { accept: 'text/html', ...(this.#cookie !== '' && { cookie: this.#cookie }) };
    const answer = await httpRequest(`${this.#url}${path}`, { agent: this.#agent, headers });
    const [pin] = answer.setCookies;
    if (pin !== undefined) this.#cookie = pin.split(';')[0]!;
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`);
    this.versions.add(String(answer.headers['x-lockstep-version']));
    this.sessions.add(this.#cookie.split('~')[1] ?? '');
  }
}

async function openBrowsers(gateway: GatewayProcess, ends: Ends): Promise<readonly Browser[]> {
  const browsers = Array.from({ length: BROWSERS }, () => new Browser(gateway.url));
  ends(async () => void (await Promise.all(browsers.map((browser) => browser.close()))));
  await Promise.all(browsers.map((browser) => browser.open()));
  return browsers;
}

async function metric(gateway: GatewayProcess, name: string): Promise<number> {
  const { body } = await gateway.admin.call('GET', '/metrics');
  return sumOf(body.toString(), name);
}

const threadsOf = async ({ admin }: GatewayProcess) => (await admin.status()).threads;
const streamsOn = async ({ admin }: GatewayProcess, id: string) => (await admin.version(id)).sessions.streams;

/**
 * Of each of these lists one after the other, beside the other lists: browsers make a core busy, and so does a thread that
 * hangs, while a hang is waited for.
 */
const AT_A_TIME: readonly (readonly Fault[])[] = [FAULTS.filter((fault) => fault !== 'hangs'), ['hangs']];

describe.for(AT_A_TIME)('T18: a data-plane thread', { concurrent: true }, (faults) => {
  test.for(faults)(
    'that %s costs its own requests, and is replaced',
    { timeout: 120_000, concurrent: false },
    async (fault, { onTestFinished: ends }) => {
      const { gateway, inflict } = await startScene(ends);
      const events = await gateway.admin.follow();
      ends(() => events.stop());
      const browsers = await openBrowsers(gateway, ends);
      await waitFor(async () => (await streamsOn(gateway, 'v1')) === BROWSERS, { what: 'the streams' });
      const countedBefore = await metric(gateway, 'lockstep_requests_total');

      await inflict(fault);
      const replaced = () => events.seen.some(({ type }) => type === 'thread-replaced');
      await waitFor(replaced, { what: 'the successor', timeoutMs: 60_000 });
      const died = events.seen.find(({ type }) => type === 'thread-died');
      expect(died?.detail).toMatchObject({
        thread: expect.any(Number),
        why: expect.stringMatching(whyOf(fault)),
      });
      expect(await threadsOf(gateway)).toEqual({ count: 2, serving: 2, restarts: 1 });
      expect(await metric(gateway, 'lockstep_thread_restarts_total')).toBe(1);

      // Everybody goes on, those of the dead thread on new connections.
      const asked = browsers.map((browser) => browser.asked);
      await waitFor(() => browsers.every((browser, n) => browser.asked > asked[n]! + 5), {
        what: 'everybody to go on',
        timeoutMs: 30_000,
      });
      // A stream and a connection of one browser may be on different threads: each is lost with its own.
      for (const browser of browsers) {
        expect(browser.failures).toBeLessThanOrEqual(1);
        expect([...browser.versions]).toEqual(['v1']);
        expect(browser.sessions.size).toBe(1);
      }
      expect(
        browsers.some(({ failures }) => failures === 0),
        'the other thread notices nothing',
      ).toBe(true);
      expect(
        browsers.some(({ streamEnded }) => !streamEnded),
        'nor do its streams',
      ).toBe(true);
      const open = browsers.filter(({ streamEnded }) => !streamEnded).length;
      await waitFor(async () => (await streamsOn(gateway, 'v1')) === open, {
        what: 'its streams to be forgotten',
      });
      expect(await metric(gateway, 'lockstep_requests_total')).toBeGreaterThan(countedBefore);

      await gateway.admin.promote('v2');
      await Promise.all(browsers.map((browser) => browser.close()));
      await gateway.admin.waitForDrained('v1');
      expect(await gateway.terminate()).toBe(0);
    },
  );
});

describe('T18: a promote that meets the death of a thread', { concurrent: true }, () => {
  test.for<Fault>(['throws', 'hangs'])(
    'is made, and minted nowhere before everybody accepts it: it %s',
    { timeout: 120_000, concurrent: false },
    async (fault, { onTestFinished: ends }) => {
      const { gateway, inflict } = await startScene(ends);
      await gateway.admin.wait('v2', 'healthy');
      let isOver = false;
      let shown = 0;
      const refused: string[] = [];
      // Whoever gets a pin shows it on connections of its own, which may be any thread's.
      const stranger = async (): Promise<void> => {
        while (!isOver) {
          const first = await ask(gateway, '/');
          const pin = first?.setCookies[0]?.split(';')[0];
          if (first === null || pin === undefined) continue;
          const minted = first.headers['x-lockstep-version'];
          for (const answer of await Promise.all([1, 2, 3].map(() => ask(gateway, '/api/x', pin)))) {
            if (answer === null) continue;
            shown++;
            const served = `${answer.status} ${answer.headers['x-lockstep-version']}`;
            if (served !== `200 ${minted}`) refused.push(`a pin of ${minted}: ${served}`);
          }
        }
      };
      const strangers = Promise.all([stranger(), stranger(), stranger(), stranger()]);
      await waitFor(() => shown > 30, { what: 'strangers' });

      await inflict(fault);
      await gateway.admin.promote('v2');
      // Nobody could know whether one that hangs accepts it: acknowledged is only what it can no longer refuse.
      if (fault === 'hangs') expect((await threadsOf(gateway)).restarts).toBe(1);
      for (const id of ['v1', 'v2']) await gateway.admin.promote(id);
      await waitFor(async () => (await threadsOf(gateway)).restarts === 1, {
        what: 'the death',
        timeoutMs: 30_000,
      });
      await waitFor(async () => (await threadsOf(gateway)).serving === 2, {
        what: 'the successor',
        timeoutMs: 30_000,
      });
      const before = shown;
      await waitFor(() => shown > before + 60, { what: 'more strangers', timeoutMs: 30_000 });
      isOver = true;
      await strangers;
      expect(refused).toEqual([]);
      const newcomers = await Promise.all(Array.from({ length: BROWSERS }, () => ask(gateway, '/')));
      expect(new Set(newcomers.map((answer) => answer?.headers['x-lockstep-version']))).toEqual(
        new Set(['v2']),
      );
    },
  );
});

/** Null: its connection was the dead thread's. */
async function ask({ url }: GatewayProcess, path: string, cookie?: string): Promise<Answer | null> {
  const headers = { accept: 'text/html', ...(cookie !== undefined && { cookie }) };
  return httpRequest(`${url}${path}`, { headers }).catch(() => null);
}

function whyOf(fault: Fault): RegExp {
  switch (fault) {
    case 'throws':
      return /thrown by the test/;
    case 'rejects':
      return /rejected by the test/;
    case 'exits':
      return /exited with code 3/;
    case 'exhausts its heap':
      return /memory limit/;
    case 'hangs':
      return /it hung/;
  }
}
