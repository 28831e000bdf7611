// The parts of the tree read by their schemas: sections, listeners and versions, each on its own, so that the problems
// of one do not hide those of another. What could not be read is left out, and its problems have been told.

import { resolve } from 'node:path';
import type * as z from 'zod';
import { VERSION_ID } from '../core/versions.ts';
import { listenAddress } from './addresses.ts';
import type { Readable } from './checks.ts';
import type { Config, ListenConfig } from './config.ts';
import { LISTENER } from './listener-section.ts';
import { describeIssue, type Path } from './problems.ts';
import { field } from './readers.ts';
import { SECTIONS, type Sections, VERSION } from './schema.ts';
import { FAULTY, type Source } from './source.ts';

export type Listener = Readable['listeners'][number] & { readonly config: ListenConfig };

/** Reads a part of the tree by a schema, and tells what is wrong with it. */
export class SectionReader {
  readonly root: Record<string, unknown>;
  readonly #source: Source;
  readonly #problem: (path: Path, message: string) => void;

  constructor(root: Record<string, unknown>, source: Source, problem: (path: Path, message: string) => void) {
    this.root = root;
    this.#source = source;
    this.#problem = problem;
  }

  /** Undefined when there is a problem; that has then been told. */
  read<T>(schema: z.ZodType<T>, value: unknown, path: Path): T | undefined {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const inner = issue.path as (string | number)[];
      const found = valueAt(value, inner);
      if (found === FAULTY) continue;
      const issuePath = [...path, ...inner];
      for (const told of describeIssue(issue, issuePath, found, this.#source.unexpanded(issuePath))) {
        this.#problem(told.path, told.message);
      }
    }
    return undefined;
  }
}

export function readSections(reader: SectionReader): Partial<Sections> {
  const entries = Object.entries(SECTIONS).map(([key, schema]) => {
    // No health block at all is not the same as an empty one: then a TCP connect is the whole check.
    const absent = key === 'health' ? null : undefined;
    const value = Object.hasOwn(reader.root, key) ? reader.root[key] : absent;
    return [key, reader.read(schema as z.ZodType, value, [key])];
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<Sections>;
}

export function isComplete(sections: Partial<Sections>): sections is Sections {
  return Object.keys(SECTIONS).every((key) => Object.hasOwn(sections, key));
}

/** `listen` is an address, a list of addresses, or a list of mappings. */
export function readListeners(
  reader: SectionReader,
  folder: string,
  problem: (path: Path, message: string) => void,
  canRead: (path: string) => boolean,
): Listener[] {
  const given = Object.hasOwn(reader.root, 'listen') ? reader.root['listen'] : '127.0.0.1:8080';
  if (Array.isArray(given) && given.length === 0) {
    problem(['listen'], 'expected an address or a list with at least one, got an empty list');
  }
  const items = Array.isArray(given) ? given : [given];
  return items.flatMap((item: unknown, index): Listener[] => {
    const path: Path = Array.isArray(given) ? ['listen', index] : ['listen'];
    const listener = isMapping(item)
      ? reader.read(LISTENER, item, path)
      : { address: reader.read(field(listenAddress), item, path), tls: null, proxyProtocol: null };
    if (listener?.address === undefined) return [];
    const { address, tls, proxyProtocol } = listener;
    const where = { ...address, ...(proxyProtocol !== null && { proxyProtocol }) };
    if (tls === null) return [{ path, address, isTls: false, config: { ...where, tls: null } }];
    const files = { certFile: resolve(folder, tls.cert), keyFile: resolve(folder, tls.key) };
    const message = (name: string) => `expected a file that can be read, got ${name}`;
    if (!canRead(files.certFile)) problem([...path, 'tls', 'cert'], message(files.certFile));
    if (!canRead(files.keyFile)) problem([...path, 'tls', 'key'], message(files.keyFile));
    return [{ path, address, isTls: true, config: { ...where, tls: files } }];
  });
}

/** One at a time: a fault in one version doesn't hide those that several have together. */
export function readVersions(reader: SectionReader, problem: (path: Path, message: string) => void) {
  const given = Object.hasOwn(reader.root, 'versions') ? reader.root['versions'] : {};
  const versions: Config['versions'][number][] = [];
  if (!isMapping(given)) {
    if (given !== FAULTY) problem(['versions'], 'expected a mapping of version ids, got something else');
    return { versions, declared: [] };
  }
  for (const [id, body] of Object.entries(given)) {
    if (!VERSION_ID.test(id)) {
      const expected =
        'expected an id of at most 64 letters, digits and . _ - that starts with a letter or digit';
      problem(['versions', id], `${expected}, got ${JSON.stringify(id.slice(0, 70))}`);
    }
    const version = reader.read(VERSION, body, ['versions', id]);
    if (version === undefined) continue;
    const { upstreams, reports, sendProxy, acceptsClientsOf } = version;
    versions.push({
      id,
      upstreams,
      ...(reports !== null && { reports }),
      ...(sendProxy !== 'none' && { sendProxy }),
      ...(acceptsClientsOf.length > 0 && { acceptsClientsOf }),
    });
  }
  return { versions, declared: Object.keys(given) };
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, part) => (at as Record<string | number, unknown> | undefined)?.[part],
    value,
  );
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
