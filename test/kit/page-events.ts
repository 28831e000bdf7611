// A page that listens to /.lockstep/events, as an EventSource would.

import type { PageState } from '../../src/core/page-state.ts';

export interface ListeningPage {
  readonly status: number;
  readonly contentType: string;
  /** All `state` events so far. */
  readonly states: readonly PageState[];
  /** What the stream said of when to come again; 0 before it did. */
  retryMs(): number;
  /** Lines of comment: signs of life. */
  signsOfLife(): number;
  /** Null while the stream is open. */
  ended(): 'whole' | 'cut' | null;
  close(): void;
}

export interface Listening {
  readonly page?: string;
  /** Of the request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Resolves when the head is there. `url`: of the data port. */
export async function listenToEvents(
  url: string,
  { page, headers = {} }: Listening = {},
): Promise<ListeningPage> {
  const end = new AbortController();
  const query = page === undefined ? '' : `?v=${page}`;
  const response = await fetch(`${url}/.lockstep/events${query}`, { headers, signal: end.signal });
  const states: PageState[] = [];
  let retryMs = 0;
  let signsOfLife = 0;
  let ended: 'whole' | 'cut' | null = null;
  const readBlock = (block: string): void => {
    let event = '';
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trimStart()];
      if (name === 'event') event = value;
      else if (name === 'retry') retryMs = Number(value);
      else if (name === '') signsOfLife++;
      else if (name === 'data' && event === 'state') states.push(JSON.parse(value) as PageState);
    }
  };
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of response.body as ReadableStream<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) readBlock(block);
    }
  };
  read().then(
    () => {
      ended = 'whole';
    },
    () => {
      ended = 'cut';
    },
  );
  return {
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    states,
    retryMs: () => retryMs,
    signsOfLife: () => signsOfLife,
    ended: () => ended,
    close: () => end.abort(),
  };
}
