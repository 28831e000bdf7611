// src/client/ as the one file that browsers get: `npm run client` writes it, a test holds the committed file to its sources.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const CLIENT_FILE = new URL('../src/client/client.min.js', import.meta.url);

/** Properties of our own objects, never of the platform's: they may lose their names. */
const INTERNAL = ['mayReload', 'isRestored', 'hasInput', 'mark', 'want', 'attempt', 'sending'];

export async function buildClient(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../src/client/main.ts', import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    // Chrome 94, Firefox 93, Safari 16.4 and what came after them.
    target: 'es2022',
    mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
    charset: 'utf8',
    legalComments: 'none',
    // Not ours to know: settings for the type checker, and what a folder above may say.
    tsconfigRaw: '{}',
  });
  return outputFiles[0]!.text;
}

if (import.meta.main) writeFileSync(CLIENT_FILE, await buildClient());
