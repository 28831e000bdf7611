import { describe, expect, it } from 'vitest';
import type { VersionSource } from '../../../src/core/policy.ts';
import { servedVersion, versionPath } from '../../../src/core/served-version.ts';

const header: VersionSource = { from: 'header', header: 'x-app-version' };
const json: VersionSource = { from: 'json', members: ['build', 'version'], path: '/healthz' };
const text: VersionSource = { from: 'text', path: '/version' };

function said(
  source: VersionSource,
  body: string,
  fields: Readonly<Record<string, string>> = {},
  status = 200,
): string {
  return servedVersion(source, { status, body, header: (name) => fields[name] ?? '' });
}

describe('what a server says it runs', () => {
  it.each([
    { name: 'a header', source: header, body: '', fields: { 'x-app-version': ' v2 ' }, want: 'v2' },
    {
      name: 'a header of a failed answer',
      source: header,
      body: '',
      fields: { 'x-app-version': 'v2' },
      status: 503,
      want: 'v2',
    },
    { name: 'no header', source: header, body: 'v2', want: '' },
    { name: 'a member', source: json, body: '{"build":{"version":"v2"}}', want: 'v2' },
    { name: 'a member that is a number', source: json, body: '{"build":{"version":42}}', want: '42' },
    { name: 'no such member', source: json, body: '{"build":{}}', want: '' },
    { name: 'a member of what is none', source: json, body: '{"build":"v2"}', want: '' },
    {
      name: 'a member that only the prototype has',
      source: { ...json, members: ['constructor', 'name'] },
      body: '{}',
      want: '',
    },
    { name: 'a member that is an object', source: json, body: '{"build":{"version":{}}}', want: '' },
    { name: 'broken JSON', source: json, body: '{"build":', want: '' },
    {
      name: 'a member of a failed answer',
      source: json,
      body: '{"build":{"version":"v2"}}',
      status: 500,
      want: '',
    },
    { name: 'a text', source: text, body: 'v2\n', want: 'v2' },
    { name: 'a JSON string', source: text, body: '"v2"', want: 'v2' },
    { name: 'a JSON document', source: text, body: '{"version":"v2"}', want: 'v2' },
    { name: 'a page instead of a text', source: text, body: '<html>v2</html>', want: '' },
    { name: 'several lines', source: text, body: 'v2\nv3', want: '' },
    { name: 'an error page', source: text, body: 'not found', status: 404, want: '' },
    { name: 'a text without end', source: text, body: 'x'.repeat(1000), want: 'x'.repeat(128) },
  ])('is read from $name', ({ source, body, fields = {}, status = 200, want }) => {
    expect(said(source, body, fields, status)).toBe(want);
  });

  it('is asked for where health checks are, or at a path of its own', () => {
    expect([versionPath(header, '/healthz'), versionPath(header, null)]).toEqual(['/healthz', '/']);
    expect([versionPath(json, '/ready'), versionPath(text, '/ready')]).toEqual(['/healthz', '/version']);
  });
});
