// An upstream that answers a request when the test says so, in the order in which requests came: for those who wait behind it.

import { startUpstream, type Upstream } from './upstream.ts';
import { waitFor } from './wait-for.ts';

export interface GatedUpstream extends Upstream {
  /** Targets that wait for their answer, oldest first. */
  readonly waiting: readonly string[];
  /** Most that waited at once. */
  most(): number;
  /** Answers the oldest, 200 with its target as body. Waits until there is one. */
  release(): Promise<void>;
}

export async function startGatedUpstream(version = 'v1', server = 'a'): Promise<GatedUpstream> {
  const waiting: { readonly url: string; readonly answer: () => void }[] = [];
  let most = 0;
  const upstream = await startUpstream({
    version,
    server,
    handle: (request, response) => {
      const { url = '' } = request;
      if (!url.startsWith('/gated')) return false;
      request.resume();
      const entry = { url, answer: () => void response.end(url) };
      waiting.push(entry);
      most = Math.max(most, waiting.length);
      response.on('close', () => {
        const at = waiting.indexOf(entry);
        if (at >= 0) waiting.splice(at, 1);
      });
      return true;
    },
  });
  return {
    ...upstream,
    get waiting() {
      return waiting.map(({ url }) => url);
    },
    most: () => most,
    release: async () => {
      const next = await waitFor(() => waiting.shift(), { what: 'a request to answer' });
      next.answer();
    },
  };
}
