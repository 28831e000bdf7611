import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStrictJson } from '../../../src/admin/json-body.ts';

test.each([
  { name: 'a key again in another object', given: '{"a":{"a":1},"b":{"a":2}}', want: true },
  { name: 'a key again in each element of a list', given: '[{"a":1},{"a":2}]', want: true },
  { name: 'a key again as a value', given: '{"a":"a","b":["a","a"]}', want: true },
  { name: 'a text that looks like JSON', given: '{"a":"{\\"b\\":1,\\"b\\":2}"}', want: true },
  { name: 'a text that ends in a backslash', given: '{"a":"\\\\","b":1}', want: true },
  { name: 'a key twice', given: '{"a":1,"b":2,"a":3}', want: false },
  { name: 'a key twice after a list', given: '{"a":[1,{"x":1}],"a":3}', want: false },
  { name: 'a key twice, once escaped', given: '{"a":1,"\\u0061":2}', want: false },
  { name: 'a key twice, deep down', given: '[[{"a":{"b":1,"b":1}}]]', want: false },
  { name: '__proto__, escaped', given: '{"\\u005f_proto__":1}', want: false },
  { name: 'eight levels', given: '[[[[[[[[]]]]]]]]', want: true },
  { name: 'nine levels', given: '[[[[[[[[[]]]]]]]]]', want: false },
  { name: 'no JSON', given: '{a:1}', want: false },
])('$name is taken: $want', ({ given, want }) => {
  expect(parseStrictJson(given).ok).toBe(want);
});

test('reads whatever JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value);
      if (text.includes('"__proto__"')) return;
      expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) });
    }),
  );
});
