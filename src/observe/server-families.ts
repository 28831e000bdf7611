// What /metrics says of servers, whatever they run: how many there are, and whether those who tell of them can be asked.

import type { ServerSource } from '../core/server.ts';
import type { Family } from './family.ts';

export interface ServerNumbers {
  readonly source: ServerSource;
  /** The DNS name, the path of the file; '' where there is but one. */
  readonly of: string;
  readonly servers: number;
  /** Null: there is none. */
  readonly trouble: object | null;
}

export function serverFamilies(sources: () => readonly ServerNumbers[]): Family[] {
  const each = (read: (numbers: ServerNumbers) => number) => () =>
    sources().map((numbers) => ({
      labels: { source: numbers.source, of: numbers.of },
      value: read(numbers),
    }));
  return [
    {
      name: 'lockstep_servers',
      help: 'Servers that a source (a DNS name, the file, operators) tells of; one that several tell of counts in each.',
      type: 'gauge',
      read: each(({ servers }) => servers),
    },
    {
      name: 'lockstep_server_source_up',
      help: '1 when a source of servers told all that it should when it was last asked, 0 when not: what it told before stays in force.',
      type: 'gauge',
      read: each(({ trouble }) => (trouble === null ? 1 : 0)),
    },
  ];
}
