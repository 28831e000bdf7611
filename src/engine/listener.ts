// How engines bind their listeners, where the certificates come from, and how a TLS handshake that fails ends.

import { readFileSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ListenAddress } from './contract.ts';

const BACKLOG = 4096;
const LATE_HANDSHAKE_MS = 1_000;

/** Resolves with the real port. */
export function bind(server: Server, address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const { host, port, isShared = false, fd } = address;
    const where = fd === undefined ? { host, port, reusePort: isShared } : { fd };
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // accept() failing for want of descriptors: the listener goes on
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** As the files are now. Throws when they cannot be read. */
export function certificateOf({ certFile, keyFile }: NonNullable<ListenAddress['tls']>): {
  readonly cert: Buffer;
  readonly key: Buffer;
} {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

/**
 * A `tlsClientError`. Node's timer of a handshake runs before anything is read: whoever is late gets another second, so that
 * what came while this thread stood still is answered and taken first (HARDENING T20).
 */
export function refuseHandshake(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    socket.destroy();
    return;
  }
  const end = setTimeout(() => {
    if ((socket as TLSSocket & { secureConnecting: boolean }).secureConnecting) socket.destroy();
  }, LATE_HANDSHAKE_MS);
  end.unref();
}
