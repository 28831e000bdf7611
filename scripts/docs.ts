// docs/configuration.md out of the schema of the configuration: `npm run docs` writes it, a test holds the committed page
// to it. What a key takes is asked of its own reader, with a value that none takes: page and error messages say the same.

import { writeFileSync } from 'node:fs';
import type { z } from 'zod';
import { LISTENER } from '../src/config/listener-section.ts';
import { SECTIONS, VERSION } from '../src/config/schema.ts';

interface Row {
  readonly key: string;
  readonly takes: string;
  readonly fallback: string;
  readonly meaning: string;
}

/** What the page needs of a schema, under its defaults, nulls and items. */
interface Unwrapped {
  readonly core: z.ZodType;
  readonly keys: Readonly<Record<string, z.ZodType>> | null;
  readonly isList: boolean;
  readonly isNullable: boolean;
  /** Undefined: the key must be given. */
  readonly fallback: unknown;
  readonly meaning: string;
}

const PAGE = new URL('../docs/configuration.md', import.meta.url);

const INTRODUCTION = `# Configuration

<!-- Written by \`npm run docs\` from src/config/schema.ts. A change here is lost. -->

Every key, what it takes, its default and what it does. \`config/lockstep.yaml\` is a file with all of them to copy from;
\`lockstep check --config FILE\` lists every mistake in a file at once, with its line.

- The file is YAML. An unknown key is an error, with a guess at what was meant.
- Durations: \`500ms\`, \`30s\`, \`20m\`, \`12h\`. Sizes: \`512\`, \`16KiB\`, \`1MiB\`; 1KiB is 1024 bytes.
- \`\${NAME}\` inside a text is the environment variable NAME, and an error when it is not set; \`$\${\` is \`\${\` itself.
- Relative paths start at the folder of the file.
`;

const LISTEN: readonly Row[] = [
  {
    key: 'listen',
    takes: 'an address, a list of addresses, or a list of mappings with the keys below',
    fallback: code('127.0.0.1:8080'),
    meaning: 'Where browsers arrive.',
  },
];

const VERSIONS: readonly Row[] = [
  {
    key: 'versions',
    takes:
      'a mapping by version id: at most 64 letters, digits and . _ - of which the first is a letter or digit',
    fallback: code('{}'),
    meaning: 'Deployed versions and their servers. More can be put at run time: lockstep put.',
  },
];

/** The page, whole. */
export function configurationPage(): string {
  const sections = Object.entries(SECTIONS as Readonly<Record<string, z.ZodType>>).map(
    ([key, schema]) => [key, unwrap(schema)] as const,
  );
  const single = sections.filter(([, { keys }]) => keys === null);
  const blocks = sections.filter(([, { keys }]) => keys !== null);
  return [
    INTRODUCTION,
    heading('listen', ''),
    table([...LISTEN, ...rowsOf('listen[]', unwrap(LISTENER))]),
    heading('versions', ''),
    table([...VERSIONS, ...rowsOf('versions.ID', unwrap(VERSION))]),
    '## Keys of their own\n',
    table(single.flatMap(([key, unwrapped]) => rowsOf(key, unwrapped))),
    ...blocks.flatMap(([key, unwrapped]) => [heading(key, unwrapped.meaning), table(rowsOf(key, unwrapped))]),
  ].join('\n');
}

function heading(key: string, meaning: string): string {
  return `## \`${key}\`\n${meaning === '' ? '' : `\n${meaning}\n`}`;
}

/** A mapping's keys in their order, each followed by those inside of it. */
function rowsOf(key: string, { core, keys, isList, isNullable, fallback, meaning }: Unwrapped): Row[] {
  if (keys === null) {
    const expected = expectedBy(core);
    const takes = isList ? `a list, each ${expected}` : expected;
    return [{ key, takes: orNull(takes, isNullable), fallback: shown(fallback), meaning }];
  }
  const inner = Object.entries(keys).flatMap(([name, schema]) =>
    rowsOf(`${key}${isList ? '[]' : ''}.${name}`, unwrap(schema)),
  );
  const isOuter = key in SECTIONS || key === 'listen[]' || key === 'versions.ID';
  if (isOuter) return inner;
  const takes = isList ? 'a list of mappings with the keys below' : 'a mapping with the keys below';
  return [{ key, takes: orNull(takes, isNullable), fallback: shown(fallback), meaning }, ...inner];
}

function unwrap(schema: z.ZodType): Unwrapped {
  let core = schema;
  let [isList, isNullable, meaning] = [false, false, ''];
  let fallback: unknown;
  for (;;) {
    meaning ||= core.description ?? '';
    const def = core._zod.def as z.core.$ZodTypeDef & {
      innerType?: z.ZodType;
      element?: z.ZodType;
      shape?: Record<string, z.ZodType>;
      defaultValue?: unknown;
    };
    switch (def.type) {
      case 'default':
      case 'prefault':
        fallback = def.defaultValue;
        break;
      case 'nullable':
        isNullable = true;
        break;
      case 'array':
        isList = true;
        break;
      default:
        return { core, keys: def.shape ?? null, isList, isNullable, fallback, meaning };
    }
    core = (def.innerType ?? def.element)!;
  }
}

/** The `expected …` of a reader's own error, without the examples that the introduction has already. */
function expectedBy(schema: z.ZodType): string {
  const result = schema.safeParse(Symbol('no reader takes this'));
  if (result.success) throw new Error('a reader takes everything: what is its type?');
  return result.error.issues[0]!.message.replace(/ such as (500ms, 30s, 20m or 12h|512, 16KiB or 1MiB),/, '');
}

function orNull(takes: string, isNullable: boolean): string {
  return isNullable ? `${takes}, or null` : takes;
}

function shown(fallback: unknown): string {
  if (fallback === undefined) return 'none, must be given';
  return code(typeof fallback === 'string' ? fallback : JSON.stringify(fallback));
}

/** As it stands, whatever Markdown would make of it. */
function prose(text: string): string {
  return text.replaceAll(/[|*_`<]/g, '\\$&');
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ key, takes, fallback, meaning }) =>
      `| ${code(key)} | ${prose(takes)} | ${fallback} | ${prose(meaning)} |`,
  );
  return ['| key | takes | default | meaning |', '| --- | --- | --- | --- |', ...lines, ''].join('\n');
}

if (import.meta.main) writeFileSync(PAGE, configurationPage());
