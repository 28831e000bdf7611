// Makes Lockstep know many sessions: signs a pin for each and comes back with it, once or in turns. Its command line is one JSON text.
// One request at a time on each connection; an answer is complete when its head's Content-Length is there.

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
const BATCH = 1_000;
const asked = JSON.parse(process.argv[2]!) as FillAsked;
let left = asked.requests;
let batch: string[] = [];
/** When all of the sessions are one batch, their pins are made once. */
const few = asked.sessions <= BATCH ? lockstepPins(asked.version, asked.sessions) : null;

function nextRequest(): string | null {
  if (left === 0) return null;
  left--;
  if (batch.length === 0) batch = [...(few ?? lockstepPins(asked.version, Math.min(BATCH, left + 1)))];
  return `GET ${asked.path} HTTP/1.1\r\nHost: fill\r\nCookie: ${batch.pop()}\r\n\r\n`;
}

function visit(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(asked.port, '127.0.0.1');
    let text = '';
    const sendNext = (): void => {
      const next = nextRequest();
      if (next === null) {
        socket.end();
        resolve();
      } else socket.write(next);
    };
    socket.setNoDelay(true);
    socket.on('connect', sendNext);
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
      if (end === -1 || length === undefined || text.length < end + 4 + Number(length)) return;
      if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text.slice(0, 60)));
      text = '';
      sendNext();
    });
  });
}

await Promise.all(Array.from({ length: CONNECTIONS }, visit));
await sleep(100);
