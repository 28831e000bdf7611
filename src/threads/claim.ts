// Ports that threads are to share. SO_REUSEPORT lets any process of the same user listen beside them, so that a second
// gateway on the same port would take half of the connections instead of being refused: so a port is taken once without it
// before it is shared.

import { createServer, type ListenOptions } from 'node:net';

/** Whether threads can listen on one port here. */
export async function canShare(): Promise<boolean> {
  return (await tryToListen({ host: '127.0.0.1', port: 0, reusePort: true })) === null;
}

/** Throws when somebody listens there. */
export async function claim({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const error = await tryToListen({ host, port, exclusive: true });
  if (error !== null) throw error;
}

/** For a moment; nobody is accepted. */
function tryToListen(where: ListenOptions): Promise<Error | null> {
  return new Promise((resolve) => {
    const server = createServer({ pauseOnConnect: true }, (socket) => socket.destroy());
    server.once('error', resolve);
    server.listen(where, () => server.close(() => resolve(null)));
  });
}
