// What has to outlive this control plane: which version a server was last of (whoever retires one takes its addresses from
// it), and what each process was last set to, so that the next control plane tells drift from news. Pure text.

import type { AdminState } from '../core/haproxy.ts';
import type { ProcessMemory } from './process.ts';

export interface Memory {
  /** Version id by serverKey. */
  readonly versions: Readonly<Record<string, string>>;
  /** By socket. */
  readonly processes: Readonly<Record<string, ProcessMemory>>;
}

export const NO_MEMORY: Memory = { versions: {}, processes: {} };

const STATES: readonly unknown[] = ['ready', 'drain', 'maint'] satisfies AdminState[];

export function formatMemory(memory: Memory): string {
  return `${JSON.stringify(memory)}\n`;
}

/** What cannot be read is forgotten: HAProxy is then set as if for the first time. */
export function parseMemory(text: string | null): Memory {
  if (text === null) return NO_MEMORY;
  try {
    const { versions, processes } = JSON.parse(text) as Partial<Memory>;
    return {
      versions: entriesOf<string>(versions, (id) => typeof id === 'string'),
      processes: entriesOf<ProcessMemory>(processes, isProcessMemory),
    };
  } catch {
    return NO_MEMORY;
  }
}

function entriesOf<T>(from: unknown, isValue: (value: unknown) => boolean): Readonly<Record<string, T>> {
  const entries = Object.entries((from ?? {}) as Record<string, unknown>);
  return Object.fromEntries(entries.filter(([, value]) => isValue(value))) as Record<string, T>;
}

function isProcessMemory(value: unknown): boolean {
  const { pid, startedMs, set } = (value ?? {}) as Partial<ProcessMemory>;
  if (!Number.isInteger(pid) || typeof startedMs !== 'number') return false;
  return (
    typeof set === 'object' && set !== null && Object.values(set).every((state) => STATES.includes(state))
  );
}
