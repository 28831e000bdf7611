// What Prometheus would see: the metrics of an exposition with their labels, and those that a query asks for.
// No parser of PromQL (promtool judges the syntax): enough of it to find names, matchers and grouping labels.

export interface Exposed {
  /** Names that can be asked for: of a histogram its _bucket, _sum and _count. */
  readonly names: ReadonlySet<string>;
  /** Labels seen on the samples of a name; none when it has no sample now. */
  labelsOf(name: string): ReadonlySet<string>;
}

export interface Matcher {
  readonly label: string;
  /** Alternatives of a `=~` one by one. */
  readonly values: readonly string[];
}

export interface Asked {
  readonly name: string;
  readonly matchers: readonly Matcher[];
}

/** Put there by Prometheus itself when it scrapes. */
export const TARGET_LABELS: readonly string[] = ['job', 'instance'];

export function readExposition(text: string): Exposed {
  const labels = new Map<string, Set<string>>();
  const seen = (name: string): Set<string> => {
    const found = labels.get(name) ?? new Set<string>();
    labels.set(name, found);
    return found;
  };
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      const parts = type[2] === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      for (const part of parts) seen(`${type[1]}${part}`);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
    if (sample === null || line.startsWith('#')) continue;
    const found = seen(sample[1]!);
    for (const [, label] of (sample[2] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) found.add(label!);
  }
  return { names: new Set(labels.keys()), labelsOf: (name) => labels.get(name) ?? new Set() };
}

/** Of all samples of that name, whatever their labels. */
export function sumOf(text: string, name: string): number {
  const samples = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The metrics of a query. A name followed by a bracket is a function or a list of labels. */
export function metricsAskedFor(query: string): Asked[] {
  const plain = query.replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const words = /\b([a-z_:][\w:]*)\b(?!\s*\()(?:\{([^}]*)\})?(?![^{]*\})/g;
  return [...plain.replaceAll(/\[[^\]]*\]/g, '').matchAll(words)]
    .filter(([, name]) => !['and', 'or', 'unless', 'bool', 'offset'].includes(name!))
    .map(([, name, inner = '']) => ({ name: name!, matchers: [...readMatchers(inner)] }));
}

/** Labels that a query groups, joins or aggregates by. */
export function groupedBy(query: string): string[] {
  const lists = query.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g);
  return [...lists].flatMap(([, list]) => list!.split(',').map((label) => label.trim()));
}

function* readMatchers(inner: string): Generator<Matcher> {
  for (const [, label, operator, value] of inner.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
    yield { label: label!, values: operator!.endsWith('~') ? value!.split('|') : [value!] };
  }
}
