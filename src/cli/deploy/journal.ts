// What a deploy has done so far, on disk before each step, so that another process can go on where this one was ended.
// The text is checked when it is read: a journal of another format, or a broken one, is refused and not guessed at.

import { createHash, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { JournalFile, JournalInUse, JournalUntrusted, type ProcessIdentity } from '../../journal-file.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Place } from './hosts.ts';
import type { DeployWish } from './wish.ts';

/** In this order. */
export const STEPS = ['free', 'hooks', 'put', 'healthy', 'promote', 'drained', 'retire'] as const;
export type Step = (typeof STEPS)[number];

export interface HostRecord extends Place {
  readonly hook: 'waiting' | 'running' | 'done' | 'failed';
  /** Of the hook that runs, or ran when this was written. */
  readonly process: ProcessIdentity | null;
}

export interface DeployRecord {
  readonly format: 1;
  readonly id: string;
  readonly admin: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly wish: DeployWish;
  /** What was active when it began. */
  readonly before: string | null;
  readonly hosts: readonly HostRecord[];
  readonly done: readonly Step[];
  /** The one that was begun last. */
  readonly step: Step | null;
  /** `created`: this deploy put the version; `found`: it was there; `withdrawn`: this deploy put it, and ended it. */
  readonly put: 'none' | 'created' | 'found' | 'withdrawn';
  /** The version was given sessions. */
  readonly served: boolean;
  /** Null: it goes on, or was interrupted. */
  readonly end: {
    readonly at: string;
    readonly outcome: 'done' | 'failed' | 'aborted';
    readonly detail: string;
  } | null;
}

const FORMAT = 1;
/** Of a file's name. */
const LONGEST_NAME = 80;

export function newRecord(
  admin: string,
  wish: DeployWish,
  places: readonly Place[],
  before: string | null,
  nowMs: number,
): DeployRecord {
  return {
    format: FORMAT,
    id: randomUUID(),
    admin,
    startedAt: new Date(nowMs).toISOString(),
    wish,
    before,
    hosts: places.map((place) => ({ ...place, hook: 'waiting', process: null })),
    done: [],
    step: null,
    put: 'none',
    served: false,
    end: null,
  };
}

/** In the user's state directory (XDG Base Directory Specification), one for each gateway; null where there is none. */
export function usualPath(admin: string, env: Readonly<Record<string, string | undefined>>): string | null {
  const { XDG_STATE_HOME: state = '', HOME: home = '' } = env;
  const folder = isAbsolute(state) ? state : isAbsolute(home) ? join(home, '.local/state') : null;
  if (folder === null) return null;
  const name = admin.replaceAll(/[^A-Za-z0-9.-]+/g, '-').slice(0, LONGEST_NAME);
  const hash = createHash('sha256').update(admin).digest('hex').slice(0, 8);
  return join(folder, 'lockstep/deploy', `${name}-${hash}.json`);
}

export class Journal {
  readonly #file: JournalFile;
  #record: DeployRecord | null;

  /** Throws when another deploy writes it, or when it cannot be read. */
  static async open(path: string): Promise<Journal> {
    const file = await openFile(resolve(path));
    try {
      return new Journal(file, readRecord(await file.read(), file.path));
    } catch (error) {
      await file.close();
      throw error instanceof JournalUntrusted ? untrusted(file.path, error.message) : error;
    }
  }

  /** Only `open` makes one. */
  private constructor(file: JournalFile, record: DeployRecord | null) {
    this.#file = file;
    this.#record = record;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Of the deploy that was written last; null when there was none. */
  get last(): DeployRecord | null {
    return this.#record;
  }

  /** Of the deploy that goes on. */
  get record(): DeployRecord {
    if (this.#record === null) throw new Error('nothing was begun');
    return this.#record;
  }

  async begin(record: DeployRecord): Promise<void> {
    this.#record = record;
    await this.#write();
  }

  async note(more: Partial<DeployRecord>): Promise<void> {
    this.#record = { ...this.record, ...more };
    await this.#write();
  }

  async noteHost(name: string, more: Partial<HostRecord>): Promise<void> {
    const hosts = this.record.hosts.map((host) => (host.name === name ? { ...host, ...more } : host));
    await this.note({ hosts });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(): Promise<void> {
    try {
      await this.#file.write(`${JSON.stringify(this.#record, null, 2)}\n`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CommandFailure(
        EXIT.failed,
        `the journal ${this.path} cannot be written (${why})`,
        'make room for it, or give another one with --journal FILE',
      );
    }
  }
}

async function openFile(path: string): Promise<JournalFile> {
  try {
    return await JournalFile.open(path);
  } catch (error) {
    if (!(error instanceof JournalInUse)) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CommandFailure(
        EXIT.failed,
        `the journal ${path} cannot be opened (${why})`,
        'give another one with --journal FILE',
      );
    }
    const { holder } = error;
    const where = holder === null || holder.hostname === hostname() ? '' : ` on ${holder.hostname}`;
    const who = holder === null ? '' : ` (process ${holder.pid}${where})`;
    throw new CommandFailure(
      EXIT.failed,
      `another deploy to this gateway is under way${who}`,
      'wait until it has ended',
      'deploy-under-way',
    );
  }
}

function untrusted(path: string, why: string): CommandFailure {
  return new CommandFailure(
    EXIT.failed,
    `the journal ${path} is not trusted: ${why}, and what stands in it would be run`,
    'look into it: if it is yours, chmod 600; if not, give another one with --journal FILE',
    'journal-untrusted',
  );
}

export function readRecord(text: string | null, path: string): DeployRecord | null {
  if (text === null) return null;
  const record = parsed(text);
  if (record !== null) return record;
  throw new CommandFailure(
    EXIT.failed,
    `${path} is no journal of a deploy that this version of lockstep reads`,
    'look into it, and move it away when nothing is left to be done',
  );
}

function parsed(text: string): DeployRecord | null {
  try {
    const record = JSON.parse(text) as Partial<DeployRecord> | null;
    const isWhole =
      record?.format === FORMAT &&
      typeof record.wish?.version === 'string' &&
      Array.isArray(record.hosts) &&
      Array.isArray(record.done);
    return isWhole ? (record as DeployRecord) : null;
  } catch {
    return null;
  }
}
