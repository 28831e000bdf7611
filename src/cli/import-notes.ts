// What the import tells people: a line for each place, places that have the same to say together, by what became of them.

import { formatPlace, type Note, type NoteKind } from '../haproxy/import/place.ts';
import type { Terminal } from './terminal.ts';
import { printable } from './text.ts';

const TITLES: Readonly<Record<NoteKind, string>> = {
  'left-out': 'Left out',
  changed: 'Done otherwise',
  assumed: 'Taken for granted',
  covered: 'Lockstep does it by itself',
};

export function tellNotes(notes: readonly Note[], { err }: Pick<Terminal, 'err'>): void {
  for (const kind of Object.keys(TITLES) as NoteKind[]) {
    const rows = together(notes.filter((note) => note.kind === kind));
    if (rows.length === 0) continue;
    err(`${TITLES[kind]}:\n${rows.map((row) => `  ${printable(row)}\n`).join('')}`);
  }
}

/** `haproxy.cfg:3, 4, 9: chroot, user, daemon: why` */
function together(notes: readonly Note[]): readonly string[] {
  const groups = new Map<string, Note[]>();
  for (const note of notes) {
    const key = JSON.stringify([note.file, note.why]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [note]);
    else group.push(note);
  }
  return [...groups.values()].map((group) => {
    const lines = [...new Set(group.map(({ line }) => line))].slice(1);
    const what = [...new Set(group.map((note) => note.what))];
    return `${[formatPlace(group[0]!), ...lines].join(', ')}: ${what.join(', ')}: ${group[0]!.why}`;
  });
}
