// Asks a version's server for an asset, as somebody without a name: no cookies, no authorization, nothing of the client that made
// it ask but what it accepts. So what comes back is for everybody.

import type { Socket } from 'node:net';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { ownHeader, type ProxyHeaderKind } from '../core/proxy-header.ts';

export interface AssetRequest {
  readonly method: 'GET' | 'HEAD';
  readonly version: string;
  /** Of the Host field; '' for the server's own address. */
  readonly host: string;
  readonly target: string;
  readonly scheme: 'http' | 'https';
  /** Further fields, by names in small letters. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface AssetAnswer {
  readonly status: number;
  /** Names in small letters; several fields of one name joined. Set-Cookie is among them. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Dispatcher.ResponseData['body'];
}

export interface AssetAsker {
  /** Rejects when there is no answer. Its body must be read, or destroyed. */
  ask(address: string, asset: AssetRequest, stop: AbortSignal): Promise<AssetAnswer>;
  close(): Promise<void>;
}

/** Of connections to one server: its pages go first. */
const CONNECTIONS = 8;
const CONNECT_MS = 3_000;
const HEAD_MS = 5_000;
/** Between two pieces of a body. */
const STALL_MS = 10_000;

/**
 * `connect` opens a socket to a host and port, or refuses to. `sendProxyOf`: with what connections to the servers of a version
 * begin.
 */
export function createAssetAsker(
  connect: (host: string, port: number) => Socket,
  sendProxyOf: (version: string) => ProxyHeaderKind | undefined = () => undefined,
): AssetAsker {
  // Loaded when it is needed first: a gateway that keeps no assets starts without it, in 8 MB less.
  const opened = new Map<ProxyHeaderKind | undefined, Promise<Agent>>();
  const open = async (sendProxy: ProxyHeaderKind | undefined) => {
    const { Agent } = (await import('undici')).default;
    return new Agent({
      connections: CONNECTIONS,
      headersTimeout: HEAD_MS,
      bodyTimeout: STALL_MS,
      maxHeaderSize: 65_536,
      connect: connector(connect, sendProxy),
    });
  };
  const agentFor = (sendProxy: ProxyHeaderKind | undefined) => {
    const agent = opened.get(sendProxy) ?? open(sendProxy);
    opened.set(sendProxy, agent);
    return agent;
  };
  return {
    ask: async (address, asset, signal) => {
      const agent = await agentFor(sendProxyOf(asset.version));
      const { statusCode, headers, body } = await agent.request({
        origin: `http://${address}`,
        method: asset.method,
        path: asset.target,
        headers: { ...asset.fields, ...ownFields(address, asset) },
        signal,
      });
      body.on('error', () => {}); // whoever reads it hears of it there
      return { status: statusCode, fields: joined(headers), body };
    },
    close: async () => {
      for (const agent of opened.values()) await (await agent).destroy();
    },
  };
}

/** What the data plane says as well (DESIGN, "To applications"), where it is the same for everybody. */
function ownFields(address: string, { host, version, scheme }: AssetRequest): Record<string, string> {
  const named = host === '' ? address : host;
  return {
    host: named,
    'user-agent': 'lockstep-assets',
    'x-forwarded-proto': scheme,
    'x-forwarded-host': named,
    'x-lockstep-version': version,
    'x-lockstep-hops': '1',
  };
}

function connector(
  connect: (host: string, port: number) => Socket,
  sendProxy: ProxyHeaderKind | undefined,
): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
    const socket = connect(host, port === '' ? 80 : Number(port));
    const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), CONNECT_MS);
    socket.setNoDelay(true);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      if (sendProxy !== undefined) socket.write(ownHeader(sendProxy), 'latin1');
      callback(null, socket);
    });
    const onError = (error: Error) => {
      clearTimeout(timer);
      callback(error, null);
    };
    socket.once('error', onError);
  };
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) fields[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return fields;
}
