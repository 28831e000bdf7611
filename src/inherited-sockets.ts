// Listening sockets that were open before this process and stay open after it: the service manager's (systemd socket
// units, sd_listen_fds(3)). While no gateway runs, connections wait in their queue in the kernel, so that one that is
// replaced refuses and resets nobody (HARDENING T17).

import { lookup } from 'node:dns/promises';
import { isIP, Socket, SocketAddress } from 'node:net';
import { formatAddress, type HostPort } from './config/addresses.ts';
import type { ListenAddress } from './engine/contract.ts';

export interface InheritedSocket extends HostPort {
  /** Its descriptor. */
  readonly fd: number;
}

/** After stdin, stdout and stderr. */
const FIRST_FD = 3;
const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/**
 * Those that the environment tells of, and forgets: what this process starts is not to think them its own. Throws with a
 * message for people.
 */
export function takeInheritedSockets(env: NodeJS.ProcessEnv, pid: number): readonly InheritedSocket[] {
  const { LISTEN_PID: owner, LISTEN_FDS: count } = env;
  for (const name of VARIABLES) delete env[name];
  if (count === undefined) return [];
  if (!/^\d{1,4}$/.test(count)) throw new Error(`LISTEN_FDS: expected a number of sockets, got "${count}"`);
  // Without an owner somebody set it by hand.
  if (owner !== undefined && owner !== String(pid)) {
    throw new Error(
      `LISTEN_FDS: its ${count} sockets were given to process ${owner}, and this is process ${pid}: start the gateway ` +
        `itself with them, not a program (npm, a shell without exec, an older Node) that starts it`,
    );
  }
  return Array.from({ length: Number(count) }, (_, at) => inheritedSocket(FIRST_FD + at));
}

/** The addresses, with their sockets where there are some. Throws when there is a socket that none of them is for. */
export async function withInherited<Listen extends HostPort & Pick<ListenAddress, 'tls'>>(
  listen: readonly Listen[],
  sockets: readonly InheritedSocket[],
): Promise<readonly ListenAddress[]> {
  if (sockets.length === 0) return listen;
  const left = [...sockets];
  const matched: ListenAddress[] = [];
  for (const address of listen) {
    const wanted = keyOf({ host: await ipOf(address.host), port: address.port });
    const at = left.findIndex((socket) => keyOf(socket) === wanted);
    matched.push(at === -1 ? address : { ...address, fd: left.splice(at, 1)[0]!.fd });
  }
  if (left.length === 0) return matched;
  const got = left.map((socket) => `${formatAddress(socket)} (descriptor ${socket.fd})`).join(', ');
  const expected = listen.map(formatAddress).join(', ');
  throw new Error(
    `LISTEN_FDS: expected sockets that listen on what "listen" of the configuration says, each once (${expected}), got ` +
      `also ${got}: let both say the same address (a socket unit: ListenStream=${formatAddress(listen[0]!)})`,
  );
}

function inheritedSocket(fd: number): InheritedSocket {
  // Only asked for its address, and never closed: the descriptor is the listener's, whose end closes it.
  const address = socketAt(fd)?.address();
  if (address === undefined || !('port' in address)) {
    throw new Error(`LISTEN_FDS: expected descriptor ${fd} to be a TCP socket that listens`);
  }
  return { fd, host: address.address, port: address.port };
}

function socketAt(fd: number): Socket | null {
  try {
    return new Socket({ fd, readable: false, writable: false });
  } catch {
    return null;
  }
}

/** As `net.Server` binds it. */
async function ipOf(host: string): Promise<string> {
  return isIP(host) === 0 ? (await lookup(host)).address : host;
}

/** IPv6 addresses can be written in several ways. */
function keyOf({ host, port }: HostPort): string {
  const address = new SocketAddress({ address: host, family: isIP(host) === 6 ? 'ipv6' : 'ipv4', port });
  return formatAddress({ host: address.address, port: address.port });
}
