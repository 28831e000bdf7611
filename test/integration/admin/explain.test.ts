import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AskedRequest } from '../../../src/core/asked-request.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, fakeExplainer, startAdmin, type TestAdmin } from './fake-control.ts';
import { ask } from './http.ts';

const VIEWER = 'viewer-token-0123456789abcdef';
const headers = { authorization: `Bearer ${VIEWER}` };
let control: FakeControl;
let admin: TestAdmin;
let asked: AskedRequest[];
beforeEach(async () => {
  asked = [];
  control = fakeControl(statusOf([version('v1', { state: 'active' })]));
  admin = await startAdmin(control, {
    tokens: [{ name: 'see', token: VIEWER, role: 'viewer' }],
    explainer: fakeExplainer(asked),
  });
});
afterEach(() => admin.close());

const explain = (body: unknown) => ask(`${admin.url}/v1/explain`, { method: 'POST', headers, body });

describe('POST /v1/explain', () => {
  test('is a question: a viewer may ask it', async () => {
    expect(await explain({ url: '/cart' })).toMatchObject({
      status: 200,
      json: { reason: 'pinned', past: null },
    });
    expect(asked).toEqual([{ url: '/cart', method: 'GET', headers: {}, client: '127.0.0.1' }]);
    expect(control.asked).toEqual([]);
  });

  test('takes method, header fields and client', async () => {
    const body = {
      url: 'https://shop.example/a?b',
      method: 'POST',
      headers: { Cookie: 'a=b; c="d"', 'Sec-Fetch-Dest': 'document' },
      client: '2001:db8::1',
    };
    expect((await explain(body)).status).toBe(200);
    expect(asked).toEqual([body]);
  });

  test('finds a request of the access log by its id', async () => {
    expect(await explain({ request: 'p-1' })).toMatchObject({
      status: 200,
      json: { past: { id: 'p-1', status: 502, failure: 'upstream-reset' } },
    });
    expect(await explain({ request: 'p-2' })).toMatchObject({
      status: 404,
      json: { code: 'unknown-request' },
    });
  });

  test.each([
    { given: {}, want: [': expected either request or url'] },
    { given: { request: 'p-1', url: '/' }, want: [': expected either request or url'] },
    {
      given: { request: '../p' },
      want: ['request: expected the id of a request, as the access log has it, got "../p"'],
    },
    {
      given: { url: 'cart' },
      want: ['url: expected http://…, https://… or a path that starts with /, got "cart"'],
    },
    {
      given: { url: 'ftp://a/' },
      want: ['url: expected http://…, https://… or a path that starts with /, got "ftp://a/"'],
    },
    {
      given: { url: '/a b' },
      want: ['url: expected http://…, https://… or a path that starts with /, got "/a b"'],
    },
    { given: { url: '/', method: 'G T' }, want: ['method: expected a method, got "G T"'] },
    { given: { url: '/', client: 'localhost' }, want: ['client: expected an IP address, got "localhost"'] },
    {
      given: { url: '/', headers: { cookie: 'a\r\nb' } },
      want: ['headers.cookie: expected a text without control characters, got "a\\r\\nb"'],
    },
    {
      given: { url: '/', headers: { 'a b': 'c' } },
      want: [expect.stringContaining('expected names of header fields')],
    },
    {
      given: { url: '/', headers: 'cookie' },
      want: ['headers: expected names of header fields, got "cookie"'],
    },
    { given: { url: '/', cookie: 'a=b' }, want: ['cookie: expected no such key'] },
  ])('with $given is a 400 that says what is wrong', async ({ given, want }) => {
    const answer = await explain(given);
    const errors = (answer.json?.['errors'] ?? []) as { path: string; message: string }[];
    expect([answer.status, errors.map(({ path, message }) => `${path}: ${message}`)]).toEqual([400, want]);
    expect(asked).toEqual([]);
  });
});
