// How engines bind their listeners, and where the certificates come from.

import { readFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import type { ListenAddress } from './contract.ts';

const BACKLOG = 4096;

/** Resolves with the real port. */
export function bind(server: Server, address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG }, () => {
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
