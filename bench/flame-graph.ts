// A flame graph as one SVG without scripts: width is time, what is called stands above its caller, and the browser shows a
// frame's name, place and share when the pointer rests on it.

import type { Call } from './profile-tree.ts';

const WIDTH = 1_600;
const ROW = 16;
/** px; what is narrower cannot be seen. */
const LEAST = 0.4;
/** px of a character, about. */
const CHARACTER = 6.2;

export function flameGraph(root: Call): string {
  const frames: string[] = [];
  const height = (depthOf(root, root.us) + 1) * ROW;
  draw(root, 0, 0);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10">
${frames.join('\n')}
</svg>
`;

  function draw(call: Call, left: number, depth: number): void {
    const width = (call.us / root.us) * WIDTH;
    if (width < LEAST) return;
    const y = height - (depth + 1) * ROW;
    const share = ((call.us / root.us) * 100).toFixed(2);
    const label = escaped(call.name.slice(0, Math.max(0, Math.floor(width / CHARACTER) - 1)));
    frames.push(
      `<g><title>${escaped(call.name)} ${escaped(call.where)} ${share} %</title>` +
        `<rect x="${left.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${color(call.where)}"/>` +
        `<text x="${(left + 2).toFixed(1)}" y="${y + 11}">${label}</text></g>`,
    );
    let at = left;
    for (const inner of [...call.calls.values()].sort((a, b) => b.us - a.us)) {
      draw(inner, at, depth + 1);
      at += (inner.us / root.us) * WIDTH;
    }
  }
}

function depthOf(call: Call, total: number): number {
  let deepest = 0;
  for (const inner of call.calls.values()) {
    if ((inner.us / total) * WIDTH >= LEAST) deepest = Math.max(deepest, 1 + depthOf(inner, total));
  }
  return deepest;
}

/** Ours, Node's, packages', and the engine's own. */
function color(where: string): string {
  if (where === '') return '#d0d0d0';
  if (where.startsWith('node:')) return '#9cc4e4';
  return /^[a-z]+\/.*\.ts:/.test(where) || /^main\.[jt]s:/.test(where) ? '#f2b872' : '#b5d99c';
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
