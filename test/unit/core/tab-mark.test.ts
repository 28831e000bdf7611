import { describe, expect, it } from 'vitest';
import { Recollection } from '../../../src/core/recollection.ts';
import { decide, isLasting, type RequestFacts, stillStands } from '../../../src/core/route.ts';
import { hasTabMark, readTabMark } from '../../../src/core/tab-mark.ts';
import { NOW, pinOf, REQUESTS, reads, sourcesOf, tableOf, versionOf } from './routing-fixtures.ts';

const { ajax, navigation, form, websocket, curl, curlForHtml } = REQUESTS;

const read = (facts: RequestFacts, target: string): { target: string; tab: string } => {
  const { target: left, tab } = hasTabMark(target) ? readTabMark({ ...facts, target }) : { ...facts, target };
  return { target: left, tab };
};

describe('the mark of a page in a query', () => {
  it.each([
    { given: '/a', want: { target: '/a', tab: '' } },
    { given: '/a?__lockstep=v1', want: { target: '/a', tab: 'v1' } },
    { given: '/a?x=1&__lockstep=v1&y=%20+&', want: { target: '/a?x=1&y=%20+&', tab: 'v1' } },
    { given: '/a?x&__lockstep=v1', want: { target: '/a?x', tab: 'v1' } },
    { given: '/a?__lockstep=v1&__lockstep=v2', want: { target: '/a', tab: 'v1' } },
    { given: '/a?__lockstep=', want: { target: '/a', tab: '' } },
    { given: '/a??__lockstep=v1', want: { target: '/a??__lockstep=v1', tab: '' } },
    { given: '/a?my__lockstep=v1', want: { target: '/a?my__lockstep=v1', tab: '' } },
    { given: '/a?next=/b?__lockstep=v1', want: { target: '/a?next=/b?__lockstep=v1', tab: '' } },
    { given: '/__lockstep=v1/a', want: { target: '/__lockstep=v1/a', tab: '' } },
  ])('$given is $want.target of $want.tab', ({ given, want }) => {
    expect(read(ajax, given)).toEqual(want);
  });

  it('gives way to the tab header, and is taken out all the same', () => {
    expect(read({ ...ajax, tab: 'v2' }, '/a?__lockstep=v1')).toEqual({ target: '/a', tab: 'v2' });
  });

  it.each([
    { name: 'a WebSocket of the page', facts: websocket, tab: 'v1' },
    { name: 'a client without Sec-Fetch fields', facts: curl, tab: 'v1' },
    { name: 'a page load', facts: navigation, tab: '' },
    { name: 'a form', facts: form, tab: '' },
    { name: 'a page load without Sec-Fetch fields', facts: curlForHtml, tab: '' },
    { name: 'a request of another site', facts: { ...ajax, secFetchSite: 'cross-site' }, tab: '' },
    { name: 'a request of a sibling', facts: { ...ajax, secFetchSite: 'same-site' }, tab: '' },
  ])('of $name names "$tab"', ({ facts, tab }) => {
    expect(read(facts, '/a?__lockstep=v1')).toEqual({ target: '/a', tab });
  });

  it('is heard although a request with the same fields was decided before', () => {
    const table = tableOf(versionOf('v1', 1, 'draining'), versionOf('v2', 2, 'active'));
    const sources = sourcesOf();
    const known = new Recollection();
    const before = decide(ajax, table, reads(pinOf('v2')), NOW, sources);
    expect(isLasting(before, ajax, table, sources)).toBe(true);
    known.keepDecision(table, sources, before);
    const marked = readTabMark({ ...ajax, target: '/a?__lockstep=v1' });
    expect(stillStands(before, ajax, table, NOW, sources)).toBe(true);
    expect(stillStands(before, marked, table, NOW, sources)).toBe(false);
    expect(decide(marked, table, reads(pinOf('v2')), NOW, sources)).toMatchObject({
      reason: 'tab',
      pinAction: 'none',
      version: { id: 'v1' },
    });
  });
});
