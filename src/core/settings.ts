// The configuration in force as it is told to people, and what a reload did: shared by who makes it, the admin API that
// serves it and the CLI that prints it. The field names are the outside contract. No secret is ever in it.

import type { ChangeReport } from './status.ts';

export interface Setting {
  /** `cookie.idle`, `versions.v1.upstreams` */
  readonly key: string;
  /** As the file says it; secrets are `(set)`, texts out of the environment `${NAME}`. */
  readonly value: unknown;
  /** state: the state directory. */
  readonly from: 'file' | 'environment' | 'default' | 'state';
  /** Of the file; null where it does not say. */
  readonly line: number | null;
  /** Environment variables that the value is made of. */
  readonly variables: readonly string[];
  /** The file says something else, which takes a restart; null when it does not. */
  readonly pending: { readonly value: unknown; readonly line: number | null } | null;
}

export interface SettingsReport {
  /** Absolute path; null when the gateway was given its configuration by a program. */
  readonly file: string | null;
  /** ISO 8601: when the file was read that is in force. */
  readonly loadedAt: string;
  readonly warnings: readonly string[];
  readonly settings: readonly Setting[];
}

export interface SettingChange {
  readonly key: string;
  /** Null: there was none. */
  readonly from: unknown;
  /** Null: there is none. */
  readonly to: unknown;
}

export interface ReloadReport {
  readonly dryRun: boolean;
  /** In force now. */
  readonly changed: readonly SettingChange[];
  /** In the file, but not in force before a restart. */
  readonly needsRestart: readonly SettingChange[];
  readonly warnings: readonly string[];
  /** What became of versions, in sentences. */
  readonly notes: readonly string[];
  readonly epoch: number;
  /** Versions whose state or weight differs. */
  readonly versions: ChangeReport['changes'];
}

/** One thing that is wrong with the file. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  /** `cookie.idle`; '' for the file as a whole. */
  readonly key: string;
  /** `expected …, got …` */
  readonly message: string;
}
