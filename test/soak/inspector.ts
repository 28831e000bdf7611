// The little of Node's inspector that tells what a process holds: its heap after a full collection, and what keeps its
// event loop alive. The process is started with INSPECT.

import { once } from 'node:events';
import WebSocket from 'ws';

export const INSPECT = '--inspect=127.0.0.1:0';

export interface HeldByProcess {
  /** Of JavaScript objects, after a full collection. */
  readonly heapBytes: number;
  /** Of buffers outside of the heap. */
  readonly bufferBytes: number;
  /** Timers that keep the event loop alive. */
  readonly timers: number;
}

export interface Inspector {
  held(): Promise<HeldByProcess>;
  close(): void;
}

/** `stderr`: of the process; its first lines name the address. */
export async function inspect(stderr: string): Promise<Inspector> {
  const address = /Debugger listening on (ws:\S+)/.exec(stderr)?.[1];
  if (address === undefined) throw new Error(`no inspector listens: ${stderr}`);
  const socket = new WebSocket(address);
  await once(socket, 'open');
  let lastId = 0;
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  socket.on('message', (data) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id: number;
      result: unknown;
      error?: unknown;
    };
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(JSON.stringify(error)));
  });
  socket.on('close', () => {
    for (const { reject } of waiting.values())
      reject(new Error('the inspector is gone, and with it the gateway'));
    waiting.clear();
  });
  socket.on('error', () => {});
  const ask = <T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> => {
    const id = ++lastId;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(id, answer);
    socket.send(JSON.stringify({ id, method, params }));
    return answer.promise as Promise<T>;
  };
  return {
    held: async () => {
      await ask('HeapProfiler.collectGarbage');
      const { usedSize, backingStorageSize } = await ask<{ usedSize: number; backingStorageSize: number }>(
        'Runtime.getHeapUsage',
      );
      const { result } = await ask<{ result: { value: number } }>('Runtime.evaluate', {
        expression: "process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length",
      });
      return { heapBytes: usedSize, bufferBytes: backingStorageSize, timers: result.value };
    },
    close: () => socket.terminate(),
  };
}
