// One exchange with a runtime socket: read to its end, or given up with what went wrong, whatever the other side does.

import { createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { getVariable, joined, SHOW_INFO, splitAnswers } from '../../../src/haproxy/batch.ts';
import { RuntimeFault } from '../../../src/haproxy/runtime-fault.ts';
import { LONGEST_LINE, sendLine } from '../../../src/haproxy/runtime-socket.ts';
import {
  type BrokenRuntimeSocket,
  type LineHandler,
  startBrokenRuntimeSocket,
} from '../../kit/broken-runtime-socket.ts';

let broken: BrokenRuntimeSocket | null = null;

afterEach(async () => {
  await broken?.stop();
  broken = null;
});

const BATCH = [SHOW_INFO, getVariable('proc.a')];
const ANSWER = 'Name: HAProxy\n\nVariable not found.\n\n';

/** What comes of a batch at a socket that does that. */
async function exchange(by: LineHandler): Promise<readonly string[]> {
  broken = await startBrokenRuntimeSocket(by);
  const text = await sendLine({ path: broken.socket }, joined(BATCH), {
    timeoutMs: 500,
    largestAnswer: 10_000,
  });
  return splitAnswers(BATCH, text);
}

async function faultOf(promise: Promise<unknown>): Promise<RuntimeFault> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RuntimeFault);
  return error as RuntimeFault;
}

it.each<{ name: string; by: LineHandler }>([
  { name: 'in one piece', by: (_, socket) => socket.end(ANSWER) },
  {
    name: 'octet by octet',
    by: async (_, socket) => {
      for (const octet of ANSWER) await new Promise<void>((sent) => socket.write(octet, () => sent()));
      socket.end();
    },
  },
])('reads an answer that comes $name', async ({ by }) => {
  expect(await exchange(by)).toEqual(['Name: HAProxy\n', 'Variable not found.\n']);
  expect(broken!.lines).toEqual(['show info;get var proc.a']);
});

it.each<{ name: string; by: LineHandler; code: RuntimeFault['code']; message: string }>([
  { name: 'says nothing', by: () => {}, code: 'timeout', message: 'did not answer within 500 ms' },
  {
    name: 'says a part, and then nothing',
    by: (_, socket) => void socket.write(ANSWER.slice(0, 20)),
    code: 'timeout',
    message: 'did not answer within 500 ms',
  },
  { name: 'closes at once', by: (_, socket) => socket.end(), code: 'cut', message: 'closed before' },
  {
    name: 'closes half way',
    by: (_, socket) => socket.end(ANSWER.slice(0, -3)),
    code: 'cut',
    message: 'closed before it had answered all of "get var proc.a"',
  },
  {
    name: 'says more than anybody asked',
    by: (_, socket) => socket.end(`${ANSWER}> prompt`),
    code: 'garbage',
    message: 'said more than it was asked',
  },
  {
    name: 'never ends',
    by: (_, socket) => void socket.write('x'.repeat(20_000)),
    code: 'too-large',
    message: 'answered more than 10000 bytes',
  },
])('gives up one that $name', async ({ by, code, message }) => {
  const fault = await faultOf(exchange(by));
  expect(fault.code).toBe(code);
  expect(fault.message).toContain(message);
  // It took the line: what it was told may have been done.
  expect(fault.isUncertain).toBe(true);
});

it('knows one that is reset from one that is not there, of which nothing can have been done', async () => {
  const server = createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const to = { host: '127.0.0.1', port };
  const reset = await faultOf(sendLine(to, 'show info', { timeoutMs: 500 }));
  expect([reset.code, reset.isUncertain]).toEqual(['cut', true]);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  const gone = await faultOf(sendLine(to, 'show info', { timeoutMs: 500 }));
  expect([gone.code, gone.isUncertain]).toEqual(['unreachable', false]);
  expect(gone.message).toContain('ECONNREFUSED');
  const nowhere = await faultOf(sendLine({ path: '/nowhere/admin.sock' }, 'show info', { timeoutMs: 500 }));
  expect(nowhere.message).toContain('ENOENT');
});

it('sends no second line, and none that HAProxy has no room for', () => {
  expect(() => sendLine({ path: '/s' }, 'show info\nset x', { timeoutMs: 1 })).toThrow(RangeError);
  expect(() => sendLine({ path: '/s' }, 'x'.repeat(LONGEST_LINE + 1), { timeoutMs: 1 })).toThrow(RangeError);
});
