// lockstep events: prints what is remembered, then what happens, until Ctrl-C. Comes back by itself when the gateway
// restarts, with the id of the last event seen, so that none is missed or printed twice.

import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayEvent } from '../core/status.ts';
import { eventData } from './event-stream.ts';
import { CommandFailure, EXIT, Unreachable } from './failure.ts';
import { printable, tellClock } from './text.ts';
import { ADMIN_OPTIONS, clientOf, isSet, type Verb } from './verb.ts';

const RETRY_MS = 1_000;
/** The gateway says that it is alive every 15 s. */
const SILENCE_MS = 45_000;

export const events: Verb = {
  name: 'events',
  usage: 'events',
  summary: 'Prints what happened and what happens, until Ctrl-C.',
  options: ADMIN_OPTIONS,
  positionals: [0, 0],
  async run(call) {
    const { terminal } = call;
    const client = clientOf(call);
    const signal = terminal.interruptible();
    let lastId = 0;
    let hasConnected = false;
    while (!signal.aborted) {
      try {
        const headers = { 'last-event-id': String(lastId), accept: 'text/event-stream' };
        const bytes = await client.stream('/v1/events', { headers, signal, silenceMs: SILENCE_MS });
        hasConnected = true;
        for await (const data of eventData(bytes)) {
          const event = JSON.parse(data) as GatewayEvent;
          lastId = event.id;
          terminal.out(
            isSet(call, 'json') ? `${data}\n` : tellEvent(event, terminal.nowMs(), terminal.timeZone),
          );
        }
      } catch (error) {
        if (signal.aborted) break;
        // A refusal stays one; only a gateway that was there once is waited for.
        if (error instanceof CommandFailure && !(error instanceof Unreachable && hasConnected)) throw error;
      }
      if (!signal.aborted) await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
    return EXIT.done;
  },
};

export function tellEvent(event: GatewayEvent, nowMs: number, timeZone: string | undefined): string {
  const details = Object.entries(event.detail).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const clock = tellClock(Date.parse(event.time), nowMs, timeZone);
  return `${printable([clock, event.type.padEnd(16), event.version ?? '-', ...details].join('  '))}\n`;
}
