import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import { fakeTerminal } from './fake-terminal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function check(yaml: string | null, ...more: string[]) {
  const file = join(folder, 'lockstep.yaml');
  if (yaml !== null) writeFileSync(file, yaml);
  const { terminal, ran } = fakeTerminal();
  const code = await run(['check', '--config', file, ...more], terminal);
  return { file, code, ...ran };
}

test('a good file is summed up', async () => {
  const { file, code, out } = await check(
    'versions:\n  v1: { upstreams: ["http://127.0.0.1:9101"] }\n  v2: { upstreams: ["http://127.0.0.1:9201"] }\nactive: v1\n',
  );
  expect(code).toBe(0);
  expect(out).toBe(
    [
      `${file} is good.`,
      '  listens on   127.0.0.1:8080',
      '  admin API    127.0.0.1:9090, no tokens: loopback only',
      '  versions     2 (v1, v2), v1 active at the first start',
      `  state        ${join(folder, 'state')}`,
      '',
    ].join('\n'),
  );
});

test('a bad file has every problem with its line and key, and is exit 1', async () => {
  const { file, code, out, err } = await check('lissten: 1\ncookie:\n  idle: soon\n');
  expect([code, out]).toEqual([1, '']);
  expect(err).toContain(`${file}:1: lissten: expected`);
  expect(err).toContain(`${file}:3: cookie.idle: expected`);
});

test('a file that is not there is exit 1', async () => {
  expect(await check(null)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('ENOENT') });
});

test('--json tells whether it is good, and every problem of one that is not', async () => {
  const good = await check('hosts: [a.example]\n', '--json');
  expect([good.code, JSON.parse(good.out)]).toEqual([0, { ok: true, problems: [], warnings: [] }]);
  const bad = await check('hosts: 1\nlisten: x\n', '--json');
  const { ok, problems } = JSON.parse(bad.out) as { ok: boolean; problems: { line: number; key: string }[] };
  expect([bad.code, bad.err, ok]).toEqual([1, '', false]);
  expect(problems.map(({ line, key }) => `${line} ${key}`)).toEqual(['1 hosts', '2 listen']);
});
