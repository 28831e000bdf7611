// A server: a machine's address that operators name (web01, host:port), whatever version it runs today. Upstreams belong
// to versions and come and go with them; servers stay.

export interface KnownServer {
  readonly name: string;
  /** host:port, as core/pool.ts writes it. */
  readonly address: string;
  /** Who told of it. */
  readonly source: 'config' | 'admin' | 'dns' | 'file' | 'haproxy';
}
