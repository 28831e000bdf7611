// http-proxy 1.18.1, and everything that is wrong with it: the one file that knows the package. It makes a request to an
// upstream out of what it is given, and hands that request out before a byte of it is written. How each fault is closed
// stands beside the line that does it; each has a test in test/integration/engine-http-proxy-faults.test.ts.
//
// It is given messages of our own in place of the client's: so it can neither write to the client nor leave listeners
// there, nor does it matter that it listens for an `aborted` event that node:http no longer emits, and so never aborts.

import { type Agent, type ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { Stream } from 'node:stream';
import util from 'node:util';
import type HttpProxyServer from 'http-proxy';
import type { TableUpstream } from '../core/table.ts';
import type { OutgoingFields } from './http-heads.ts';

export interface ProxiedRequest {
  readonly upstream: TableUpstream;
  readonly agent: Agent;
  readonly method: string;
  /** Origin-form or `*`; goes up as it is. */
  readonly target: string;
  readonly fields: OutgoingFields;
  readonly expectsContinue: boolean;
  /** Octets of the answer's head. */
  readonly maxHeaderSize: number;
  /** The client's connection. */
  readonly socket: Socket;
}

export interface Switching {
  /** Null: it is refused, and its connection closed. */
  onSwitching(answer: IncomingMessage): OutgoingFields | null;
  onSwitched(upstream: Socket): void;
}

/** Given to http-proxy where it wants to be told of errors: the request's own events tell more. */
const TOLD_ELSEWHERE = (): void => {};
const NOTHING = Buffer.alloc(0);

export class HttpProxy {
  readonly #proxy: HttpProxyServer;

  constructor() {
    this.#proxy = loadHttpProxy().createProxyServer({});
    this.#proxy.on('proxyReqWs', (request, message) => {
      if (message instanceof HandshakeMessage) message.onRequest(request);
    });
  }

  /** The request, of which nothing has been sent. Its body and end are the caller's to write, its events to listen to. */
  ask(asked: ProxiedRequest): ClientRequest {
    const message = new IncomingMessage(asked.socket);
    // No method: that of `options` counts. By the message's own one http-proxy takes Transfer-Encoding away from DELETE
    // and OPTIONS and says `content-length: 0`, and the body becomes a second request (GHSA-ggv3-7p47-pfv8).
    message.headers = asked.fields as IncomingMessage['headers'];
    const body = new HandedOut();
    this.#proxy.web(
      message,
      new ServerResponse(message),
      { ...optionsFor(asked), buffer: body },
      TOLD_ELSEWHERE,
    );
    return prepared(body.destination!, asked);
  }

  /**
   * Asks for a WebSocket. `onSwitching` returns the fields of the 101 that goes to the client; `onSwitched` comes in the
   * same turn, when the two sockets are piped into one another, and not an octet has passed yet.
   */
  handshake(asked: ProxiedRequest, { onSwitching, onSwitched }: Switching): ClientRequest {
    const message = new HandshakeMessage(asked.socket, (request) => {
      prepared(request, asked);
    });
    message.method = 'GET'; // it refuses all else
    message.headers = asked.fields as IncomingMessage['headers'];
    this.#proxy.ws(message, asked.socket, NOTHING, optionsFor(asked), TOLD_ELSEWHERE);
    const request = message.request!;
    // On an error it would end the client's connection unanswered; an answer that is no 101 it would write with the
    // upstream's hop-by-hop fields, and a chunked one decoded, under a head that says chunked.
    request.removeAllListeners('error');
    request.removeAllListeners('response');
    const openings = request.listeners('upgrade');
    request.removeAllListeners('upgrade');
    request.once('upgrade', (answer, upstream, early) => {
      const fields = onSwitching(answer);
      if (fields === null) {
        upstream.on('error', () => {});
        upstream.destroy(); // it would open its tunnel at any 101
        return;
      }
      answer.headers = fields as IncomingMessage['headers'];
      for (const open of openings) open.call(request, answer, upstream, early);
      upstream.removeAllListeners('error'); // it would end the client's side as if all were well
      onSwitched(upstream);
    });
    return request;
  }
}

function optionsFor({ upstream, agent, method }: ProxiedRequest): HttpProxyServer.ServerOptions {
  return {
    target: { protocol: 'http:', host: upstream.host, port: upstream.port },
    agent,
    method,
    toProxy: true, // else it takes the target apart with url.parse (DEP0169)
    // It would pipe a broken or truncated answer without listening for errors: a crash, or a client that waits for ever.
    selfHandleResponse: true,
  };
}

/**
 * What http-proxy cannot be told in its options is set on the request itself, at once: in its `proxyReq` event, which
 * comes with the socket, the first of a long body may have been sent, and to set a field then throws (GHSA-6x33-pw7p-hmpq).
 */
function prepared(request: ClientRequest, asked: ProxiedRequest): ClientRequest {
  request.path = asked.target; // http-proxy makes `//` into `/`, and `http:/` into `http://`
  Object.assign(request, { maxHeaderSize: asked.maxHeaderSize }); // an option of node:http that it does not pass on
  if (asked.expectsContinue) {
    // Among the fields it would be sent at once, with http-proxy's own path.
    request.setHeader('Expect', '100-continue');
    request.write(NOTHING); // flushHeaders would write the head as UTF-8
  }
  return request;
}

/** The `buffer` that http-proxy pipes into its request in place of the client's: pipes nothing, but remembers whereto. */
class HandedOut extends Stream {
  destination: ClientRequest | null = null;

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    this.destination = destination as unknown as ClientRequest;
    return destination;
  }
}

class HandshakeMessage extends IncomingMessage {
  request: ClientRequest | null = null;
  readonly #prepare: (request: ClientRequest) => void;

  constructor(socket: Socket, prepare: (request: ClientRequest) => void) {
    super(socket);
    this.#prepare = prepare;
  }

  onRequest(request: ClientRequest): void {
    this.request = request;
    this.#prepare(request);
  }
}

/**
 * The package keeps `util._extend` from the moment it is loaded and calls it for each request, which warns on stderr
 * (DEP0060) while Node has it and fails when Node has it no more. It is lent Object.assign, which does the same.
 */
function loadHttpProxy(): typeof HttpProxyServer {
  const require = createRequire(import.meta.url);
  const before = Object.getOwnPropertyDescriptor(util, '_extend');
  Object.defineProperty(util, '_extend', { value: Object.assign, configurable: true });
  try {
    return require('http-proxy');
  } finally {
    if (before === undefined) Reflect.deleteProperty(util, '_extend');
    else Object.defineProperty(util, '_extend', before);
  }
}
