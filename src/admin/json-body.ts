// Request bodies are JSON read strictly: where two readers of one text could understand it differently (repeated keys,
// `__proto__`) or it is deeper than any body of this API, it is refused before a schema sees it (HARDENING M05).
// Depth is no danger to JSON.parse, which doesn't recurse; the limit keeps that from mattering.

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly detail: string };

const DEEPEST = 8;

export function parseStrictJson(text: string): ParsedJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text; it could quote a secret that was put into the wrong field.
    return { ok: false, detail: 'The body is not JSON.' };
  }
  const detail = findAmbiguity(text);
  return detail === null ? { ok: true, value } : { ok: false, detail };
}

/** Walks a text that is known to be JSON; only strings need care. */
function findAmbiguity(json: string): string | null {
  /** Keys seen in each open object; null for an array. */
  const open: (Set<string> | null)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case '{':
      case '[':
        isKeyNext = json[at] === '{';
        open.push(isKeyNext ? new Set() : null);
        if (open.length > DEEPEST) return `The body is nested deeper than ${DEEPEST} levels.`;
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        isKeyNext = open.at(-1) !== null;
        break;
      case '"': {
        const end = endOfString(json, at);
        if (isKeyNext) {
          const refusal = addKey(open.at(-1), JSON.parse(json.slice(at, end + 1)));
          if (refusal !== null) return refusal;
          isKeyNext = false;
        }
        at = end;
        break;
      }
    }
  }
  return null;
}

function addKey(keys: Set<string> | null | undefined, key: string): string | null {
  if (key === '__proto__') return 'The body has a key that is not allowed: __proto__.';
  if (keys?.has(key)) return 'The body has the same key twice in one object.';
  keys?.add(key);
  return null;
}

/** Index of the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}
