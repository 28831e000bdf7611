// Makes Lockstep know many sessions: signs a pin for each and comes back with it, once or in turns. Its command line is one JSON text.
// Some requests at once on each connection; an answer is complete when its head's Content-Length is there.

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockstepPins } from '../peers/lockstep.ts';

export interface FillAsked {
  readonly port: number;
  readonly version: string;
  readonly path: string;
  readonly sessions: number;
  readonly requests: number;
}

const CONNECTIONS = 32;
/** Requests that are under way on a connection: fewer turns of either side's event loop for each. */
const AT_ONCE = 16;
const BATCH = 1_000;
const asked = JSON.parse(process.argv[2]!) as FillAsked;
/** When sessions come back, their pins are made once. */
const again = asked.requests > asked.sessions ? lockstepPins(asked.version, asked.sessions) : null;
let batch: string[] = [];
let left = asked.requests;

function nextPin(): string {
  if (again !== null) return again[left % again.length]!;
  if (batch.length === 0) batch = [...lockstepPins(asked.version, Math.min(BATCH, left))];
  return batch.pop()!;
}

function nextRequests(): readonly string[] {
  const requests: string[] = [];
  for (; left > 0 && requests.length < AT_ONCE; left--) {
    requests.push(`GET ${asked.path} HTTP/1.1\r\nHost: fill\r\nCookie: ${nextPin()}\r\n\r\n`);
  }
  return requests;
}

function visit(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(asked.port, '127.0.0.1');
    let text = '';
    let awaited = 0;
    const sendNext = (): void => {
      const requests = nextRequests();
      awaited = requests.length;
      if (awaited === 0) {
        socket.end();
        resolve();
      } else socket.write(requests.join(''));
    };
    socket.setNoDelay(true);
    socket.on('connect', sendNext);
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      for (let end = endOfAnswer(text); end !== null; end = endOfAnswer(text)) {
        if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text.slice(0, 60)));
        text = text.slice(end);
        awaited--;
      }
      if (awaited === 0) sendNext();
    });
  });
}

/** Of the first answer in the text, or null when it is not all there. */
function endOfAnswer(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  const length = end === -1 ? undefined : /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (length === undefined || text.length < end + 4 + Number(length)) return null;
  return end + 4 + Number(length);
}

await Promise.all(Array.from({ length: CONNECTIONS }, visit));
await sleep(100);
