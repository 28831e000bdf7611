// What somebody at a terminal sees while a promote waits for its warm-up: one line that is written anew each second.
// The line comes from the event stream, and is a courtesy: when it cannot be had, the promote goes on without it.

import type { GatewayEvent } from '../core/status.ts';
import type { AdminClient } from './client.ts';
import { eventData } from './event-stream.ts';
import { count, printable } from './text.ts';
import { type Call, clientOf } from './verb.ts';

/** The gateway says that it is alive every 15 s. */
const SILENCE_MS = 45_000;

/** Shows the warm-up of that version for as long as `work` takes; only to people. */
export async function whileWarming<T>(call: Call, id: string, work: () => Promise<T>): Promise<T> {
  const { terminal } = call;
  if (!terminal.isWatched) return work();
  let isShown = false;
  const show = (line: string) => {
    terminal.err(`\r\u001b[K${line.slice(0, terminal.columns - 1)}`);
    isShown = line !== '';
  };
  try {
    return await followWarming(clientOf(call), id, show, new AbortController().signal, work);
  } finally {
    if (isShown) show('');
  }
}

/** Tells `show` of the warm-up of that version for as long as `work` takes, or until `signal` aborts. */
export async function followWarming<T>(
  client: AdminClient,
  id: string,
  show: (line: string) => void,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const follow = async () => {
    const bytes = await client.stream('/v1/events', {
      headers: { accept: 'text/event-stream' },
      signal: AbortSignal.any([over.signal, signal]),
      silenceMs: SILENCE_MS,
    });
    for await (const data of eventData(bytes)) {
      const event = JSON.parse(data) as GatewayEvent;
      if (over.signal.aborted) return;
      if (event.type === 'warming' && event.version === id) show(tellWarming(event));
    }
  };
  const following = follow().catch(() => {});
  try {
    return await work();
  } finally {
    over.abort();
    await following;
  }
}

/** `v3 is warmed up: 3 of 4 warm, 42 requests; 10.0.0.4:80/ has p95 812 ms` */
export function tellWarming({ version, detail }: Pick<GatewayEvent, 'version' | 'detail'>): string {
  const { warm, of, requests, slowest, p95Ms, errors } = detail;
  const worst = Number(errors) > 0 ? `fails` : typeof p95Ms === 'number' ? `has p95 ${p95Ms} ms` : null;
  const about = typeof slowest === 'string' && worst !== null ? `; ${slowest} ${worst}` : '';
  return printable(
    `${version ?? ''} is warmed up: ${warm} of ${of} warm, ${count(Number(requests), 'request')}${about}`,
  );
}
