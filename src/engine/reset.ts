// A connection that ends with a reset, so that its peer sees that something is missing.

import type { Socket } from 'node:net';

/**
 * Of a TLS connection, and of one that has been ended for writing, an ordinary end is all that can be had: the latter's
 * resetAndDestroy would fail with EINVAL while octets are on their way, and leave the socket open for good.
 */
export function reset(socket: Socket, isTls: boolean): void {
  if (isTls || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
