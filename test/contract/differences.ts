// Where the http-proxy engine answers another way than the wire engine, and why that is so. Every verdict here is a lawful
// one; what every engine must hold (the oracles of test/corpus/README.md, and the other tests of this folder) has no
// exceptions. Differences that no case of the corpus shows, all of node:http's making:
// - limits.chunkExt and limits.trailers are 16 KiB each, whatever is configured;
// - a request of another major version of HTTP than 0.9 is a 400, not a 505; one too long a target may be a 431, not a 414;
// - a WebSocket handshake that comes before the answer to the request before it is served as an ordinary GET.

export interface Difference {
  /** As test/corpus/README.md has them. */
  readonly verdict: string;
  readonly because: string;
  /** What is seen on the other side is another than the case says. */
  readonly mayRewrite?: true;
}

export const REQUEST_DIFFERENCES: Readonly<Record<string, Difference>> = {
  C20: {
    verdict: '400',
    because: 'llhttp refuses a Content-Length among trailers, where the wire engine drops it',
  },
  C25: { verdict: 'fwd1', because: 'llhttp reads leading zeros of a chunk size; they do not go on' },
  D03: { verdict: '505', because: 'llhttp reads it as HTTP/0.9, which is refused as another version' },
  D01: { verdict: '400', because: 'llhttp knows a list of methods; any other token is an error to it' },
  D09: { verdict: 'fwd1', because: 'llhttp reads several spaces before the target; one goes on' },
  D25: {
    verdict: '431',
    because: 'node:http has one limit for the whole head, and does not say what was too long',
  },
  D33: {
    verdict: 'fwd1',
    because: 'llhttp skips empty lines before a request; limits.headerTimeout bounds them',
  },
};

export const RESPONSE_DIFFERENCES: Readonly<Record<string, Difference>> = {
  R14: { verdict: '502', because: 'llhttp refuses a space before the colon in answers, too' },
  R38: {
    verdict: 'abort',
    because: 'llhttp refuses a Content-Length among trailers; the client sees the cut',
  },
};
