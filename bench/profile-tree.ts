// Reads what `node --cpu-prof` writes (the DevTools protocol's Profiler.Profile): self times, and the tree of calls.

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Node ids; between two samples time passes by `timeDeltas`, in µs. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  /** `wire/exchange.ts:120`, `node:net:800`, a package's name, or '' for the engine's own. */
  readonly where: string;
  readonly us: number;
}

export interface Call {
  readonly name: string;
  readonly where: string;
  /** With all that it calls. */
  us: number;
  readonly calls: Map<string, Call>;
}

const IDLE = new Set(['(idle)', '(root)']);

/** The most expensive first; nothing of what is idle. */
export function selfTimes(profile: CpuProfile): readonly SelfTime[] {
  const times = sampled(profile);
  const byName = new Map<string, { name: string; where: string; us: number }>();
  for (const { id, callFrame } of profile.nodes) {
    const us = times.get(id) ?? 0;
    if (us === 0 || IDLE.has(callFrame.functionName)) continue;
    const { name, where } = named(callFrame);
    const key = `${name} ${where}`;
    const known = byName.get(key) ?? { name, where, us: 0 };
    known.us += us;
    byName.set(key, known);
  }
  return [...byName.values()].sort((a, b) => b.us - a.us);
}

/** Our own by folder, Node by module, packages by name, and what the engine does by its own words. */
export function timesByPart(self: readonly SelfTime[]): readonly { name: string; us: number }[] {
  const parts = new Map<string, number>();
  for (const { name, where, us } of self) {
    const part = where === '' ? name : where.replace(/:\d+$/, '').replace(/\/[^/]*\.[jt]s$/, '/');
    parts.set(part, (parts.get(part) ?? 0) + us);
  }
  return [...parts].map(([name, us]) => ({ name, us })).sort((a, b) => b.us - a.us);
}

export function callTree(profile: CpuProfile): Call {
  const times = sampled(profile);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const root: Call = { name: 'all', where: '', us: 0, calls: new Map() };
  const add = (id: number, into: Call): number => {
    const { callFrame, children = [] } = nodes.get(id)!;
    if (IDLE.has(callFrame.functionName) && id !== profile.nodes[0]!.id) return 0;
    const { name, where } = named(callFrame);
    const key = `${name} ${where}`;
    const call = into.calls.get(key) ?? { name, where, us: 0, calls: new Map() };
    into.calls.set(key, call);
    let us = times.get(id) ?? 0;
    for (const child of children) us += add(child, call);
    call.us += us;
    return us;
  };
  for (const child of profile.nodes[0]!.children ?? []) root.us += add(child, root);
  return root;
}

function sampled({ samples, timeDeltas }: CpuProfile): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const [index, id] of samples.entries()) times.set(id, (times.get(id) ?? 0) + (timeDeltas[index] ?? 0));
  return times;
}

function named(frame: CpuProfile['nodes'][number]['callFrame']): { name: string; where: string } {
  return { name: frame.functionName || '(anonymous)', where: place(frame.url, frame.lineNumber + 1) };
}

function place(url: string, line: number): string {
  if (url === '') return '';
  if (url.startsWith('node:')) return `${url}:${line}`;
  const inPackages = url.lastIndexOf('/node_modules/');
  if (inPackages !== -1) return `${url.slice(inPackages + 14)}:${line}`;
  const ours = Math.max(url.lastIndexOf('/src/'), url.lastIndexOf('/dist/'));
  return `${ours === -1 ? url.slice(url.lastIndexOf('/') + 1) : url.slice(url.indexOf('/', ours + 1) + 1)}:${line}`;
}
