// Caddy, without its admin endpoint and TLS, with a JSON access log. One thread of Go, like every other peer.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/kit/free-port.ts';
import { findProgram, firstLine, startProgram, untilListening } from '../programs.ts';
import { type Peer, type PeerSetup, PLAIN_COOKIE, plainPins } from './peer.ts';

export const caddy: Peer = {
  name: 'caddy',
  title: 'Caddy',
  missing: () => (findProgram('caddy') === null ? 'caddy is not installed' : null),
  version: () => firstLine('caddy', ['version']).split(' ')[0]!,
  start: async (setup) => {
    const port = await freePort();
    const file = join(setup.folder, 'Caddyfile');
    await writeFile(file, configuration(setup, port));
    const args = ['run', '--config', file, '--adapter', 'caddyfile'];
    const program = startProgram(findProgram('caddy')!, args, {
      log: join(setup.folder, 'caddy'),
      env: {
        GOMAXPROCS: String(setup.threads ?? 1),
        HOME: setup.folder,
        XDG_CONFIG_HOME: setup.folder,
        XDG_DATA_HOME: setup.folder,
      },
    });
    await untilListening(program, port);
    return { port, pid: program.pid, cookieName: PLAIN_COOKIE, pins: plainPins, stop: () => program.stop() };
  },
};

function configuration(setup: PeerSetup, port: number): string {
  const pinned = setup.versions.filter(({ id }) => id !== setup.active);
  const pools = pinned.map(
    ({ id, addresses }) => `  @${id} header Cookie *${PLAIN_COOKIE}=${id}.*
  handle @${id} {
    reverse_proxy ${addresses.join(' ')} {
      transport http {
        keepalive_idle_conns_per_host 1024
      }
    }
  }`,
  );
  const rest = setup.versions.find(({ id }) => id === setup.active)!;
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  log {
    output file ${join(setup.folder, 'access.log')} {
      roll_disabled
    }
    format json
    level INFO
  }
  @new not header Cookie *${PLAIN_COOKIE}=*
  header @new +Set-Cookie "${PLAIN_COOKIE}=${setup.active}.{http.request.uuid}; Path=/; HttpOnly; SameSite=Lax"
${pools.join('\n')}
  handle {
    reverse_proxy ${rest.addresses.join(' ')} {
      transport http {
        keepalive_idle_conns_per_host 1024
      }
    }
  }
}
`;
}
