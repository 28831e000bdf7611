// Work 5: 1 MiB down and 1 MiB up, by length and chunked, eight at a time.

import type { Bench, Work } from '../bench.ts';
import type { RunningPeer } from '../peers/peer.ts';
import {
  bodyOf,
  LARGE_BYTES,
  LARGE_CHUNKED_PATH,
  LARGE_PATH,
  SMALL_BYTES,
  SMALL_PATH,
  startFiles,
  startUploads,
  UPLOAD_PATH,
  type Upstreams,
} from '../upstreams.ts';
import { ask } from '../validate.ts';
import { type Case, measureCases, pinnedCookies } from './measured-cases.ts';

const CONNECTIONS = 8;

export const largeBodies: Work = {
  name: 'large-bodies',
  number: 5,
  title: '1 MiB down, 1 MiB up, by length and chunked',
  run: async (bench) => {
    await measureDownloads(bench);
    await measureUploads(bench);
  },
};

async function measureDownloads(bench: Bench): Promise<void> {
  const upstreams = await startFiles(await bench.folder('upstreams'));
  const expected = { path: LARGE_CHUNKED_PATH, body: (version: string) => bodyOf(version, LARGE_BYTES) };
  const cases = [downCase('down, by length', LARGE_PATH), downCase('down, chunked', LARGE_CHUNKED_PATH)];
  const check = async (running: RunningPeer): Promise<void> => {
    const cookie = running.pins('v1', 1)[0]!;
    const { body } = await ask(running.port, LARGE_PATH, { cookie });
    if (body !== bodyOf('v1', LARGE_BYTES)) throw new Error(`a download brings ${body.length} bytes`);
  };
  try {
    await measureCases(bench, largeBodies, { upstreams, expected, cases, check });
  } finally {
    await upstreams.stop();
  }
}

async function measureUploads(bench: Bench): Promise<void> {
  const upstreams = await startUploads(await bench.folder('upstreams'));
  const expected = { path: SMALL_PATH, body: (version: string) => bodyOf(version, SMALL_BYTES) };
  const cases = [upCase('up, by length', false)];
  if (bench.loader === 'wrk') cases.push(upCase('up, chunked', true));
  else bench.note('5 up, chunked: needs wrk, autocannon cannot send chunks');
  try {
    const check = (running: RunningPeer) => checkUploads(running, upstreams);
    await measureCases(bench, largeBodies, { upstreams, expected, cases, check });
  } finally {
    await upstreams.stop();
  }
}

async function checkUploads(running: RunningPeer, { active }: Upstreams): Promise<void> {
  const cookie = running.pins(active, 1)[0]!;
  for (const isChunked of [false, true]) {
    const upload = { method: 'POST', body: Buffer.alloc(LARGE_BYTES, 'u'), isChunked };
    const { status, body } = await ask(running.port, UPLOAD_PATH, { cookie }, upload);
    if (body !== `${active} ${LARGE_BYTES}`)
      throw new Error(`an upload gets ${status}: "${body.slice(0, 40)}"`);
  }
}

function downCase(name: string, path: string): Case {
  const plan = { method: 'GET', path, fields: ['Accept: */*'], body: null, connections: CONNECTIONS };
  return { name, plan, cookies: pinnedCookies };
}

/** Few sessions: the load generator holds a whole request of each. */
function upCase(name: string, isChunked: boolean): Case {
  const fields = ['Accept: */*', 'Content-Type: application/octet-stream'];
  const body = { bytes: LARGE_BYTES, isChunked };
  const plan = { method: 'POST', path: UPLOAD_PATH, fields, body, connections: CONNECTIONS };
  return { name, plan, cookies: (peer, { active }) => peer.pins(active, CONNECTIONS) };
}
