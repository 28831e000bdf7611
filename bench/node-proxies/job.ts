// The job of the proxies that are libraries: what each of them is told on its command line, which upstream a request goes
// to, and the pin of a new session. They keep no log and count nothing.

import { randomBytes } from 'node:crypto';

export interface Job {
  readonly port: number;
  readonly active: string;
  readonly cookie: string;
  /** Version id to URLs of its upstreams. */
  readonly pools: Readonly<Record<string, readonly string[]>>;
}

export interface Choice {
  /** URL of the upstream. */
  readonly target: string;
  /** A Set-Cookie value, or null for a client that has a pin. */
  readonly mint: string | null;
}

export function jobFromArguments(): Job {
  return JSON.parse(process.argv[2]!) as Job;
}

export function chooser(job: Job): (cookies: string | undefined) => Choice {
  const pools = new Map(Object.entries(job.pools).map(([id, urls]) => [id, { urls, next: 0 }]));
  const prefix = `${job.cookie}=`;
  return (cookies = '') => {
    const at = cookies.startsWith(prefix) ? 0 : cookies.indexOf(`; ${prefix}`);
    const from = at === 0 ? prefix.length : at + 2 + prefix.length;
    const pinned = at === -1 ? undefined : pools.get(cookies.slice(from, cookies.indexOf('.', from)));
    const pool = pinned ?? pools.get(job.active)!;
    const target = pool.urls[pool.next++ % pool.urls.length]!;
    const mint = at === -1 ? newPin(job) : null;
    return { target, mint };
  };
}

function newPin({ cookie, active }: Job): string {
  return `${cookie}=${active}.${randomBytes(8).toString('hex')}; Path=/; HttpOnly; SameSite=Lax`;
}
