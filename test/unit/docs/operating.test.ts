// The pages that people type from name only what there is: commands, their options, keys of the configuration, files.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configurationPage } from '../../../scripts/docs.ts';
import { run } from '../../../src/cli/run.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const PAGES = [
  'README.md',
  'docs/operating.md',
  'docs/skew.md',
  'docs/deploying.md',
  'docs/rolling.md',
  'config/prometheus-rules.yml',
] as const;
/** Also said of things that are no command. */
const NO_VERBS = ['gateway'];

async function printed(...args: string[]): Promise<string> {
  const parts: string[] = [];
  const terminal = { env: {}, columns: 80, out: (part: string) => parts.push(part), err: () => {} };
  await run(args, terminal as unknown as Terminal);
  return parts.join('');
}

const verbs = [...(await printed('--help')).matchAll(/^ {2}([a-z][a-z-]*) {2,}\S/gm)].map(
  ([, verb]) => verb!,
);
const optionsOf = new Map(
  await Promise.all(
    verbs.map(async (verb) => {
      const help = await printed(verb, '--help');
      return [
        verb,
        new Set([...help.matchAll(/--([a-z][a-z0-9-]*)/g)].map(([, option]) => option!)),
      ] as const;
    }),
  ),
);
const keys = new Set([...configurationPage().matchAll(/`([a-zA-Z.[\]]+)`/g)].map(([, key]) => key!));

interface Use {
  readonly verb: string;
  readonly options: readonly string[];
  readonly text: string;
}

/** `lockstep VERB …` up to the end of the code that it stands in, or of the command. */
function commandsIn(page: string): Use[] {
  return [...page.matchAll(/(?<![\w/-])lockstep ([a-z][a-z-]*)\b([^\n`|&;,()]*)/g)]
    .map(([text, verb, rest]) => ({
      text,
      verb: verb!,
      options: [...rest!.matchAll(/(?<=\s)--([a-z][a-z0-9-]*)/g)].map(([, option]) => option!),
    }))
    .filter(({ text }) => !NO_VERBS.some((word) => text.startsWith(`lockstep ${word}`)));
}

/** In code only: prose may say "Lockstep runs". */
const codeOf = (page: string): string =>
  [...page.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g)]
    .map(([, block, inline]) => block ?? inline)
    .join('\n');

describe.each(PAGES)('%s', (path) => {
  const code = path.endsWith('.md') ? codeOf(read(path)) : read(path);

  it('names only commands and options that there are', () => {
    const wrong = commandsIn(code)
      .filter(({ text }) => !/^lockstep (listens|is|at|uses|restarted|cannot)\b/.test(text))
      .filter(({ verb, options }) => {
        const known = optionsOf.get(verb);
        return known === undefined || options.some((option) => !known.has(option));
      });
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });

  it('names only files that there are', () => {
    const paths = [...code.matchAll(/(?<![\w/.-])((?:config|docs|src|test|scripts|bin)\/[\w./-]+)/g)].map(
      ([, each]) => each!,
    );
    expect(paths.filter((each) => !existsSync(new URL(`../../../${each}`, import.meta.url)))).toEqual([]);
  });
});

describe('docs/operating.md', () => {
  const page = read('docs/operating.md');

  it('has a place for every command', () => {
    const headings = [...page.matchAll(/^### .*$/gm)].join('\n');
    const text = `${headings}\n${codeOf(page)}`;
    const missing = verbs.filter((verb) => !new RegExp(`(\`${verb}\\b|lockstep ${verb}\\b)`).test(text));
    expect(verbs.length).toBeGreaterThan(15);
    expect(missing).toEqual([]);
  });

  it('names only keys of the configuration that there are', () => {
    const sections = ['admin', 'cookie', 'drain', 'deadPin', 'limits', 'health', 'log', 'warm', 'analysis'];
    const named = [...page.matchAll(/`((?:[a-zA-Z]+)\.[a-zA-Z.]+)`/g)]
      .map(([, key]) => key!)
      .filter((key) => sections.includes(key.split('.')[0]!));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((key) => !keys.has(key))).toEqual([]);
  });

  it('links only to headings that it has', () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
  });
});
