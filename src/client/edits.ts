// Whether the page holds input that a reload would lose: fields that somebody changed and that are not empty, and those
// that left the page with something in them until something was saved after that (the steps of a wizard). Of a page that
// was reloaded or gone back to, every field that is not as the page made it: browsers put input back without an event.

import type { PageOrigin } from './page-origin.ts';

export interface Edits {
  hasInput(): unknown;
  /** Something is being saved; called when it has been: what has left the page is safe then, unless more was changed. */
  mark(): () => void;
}

/** Of all that can be typed into, or chosen from; some have less. */
type Field = HTMLInputElement;

export function trackEdits({ isRestored }: PageOrigin): Edits {
  const fields = new Set<Field>();
  let hasLeft: unknown = false;
  let changes = 0;
  /** Holds on to no field that is not in the page any more, since pages that live long make and drop many. */
  const sweep = (): void => {
    for (const field of fields) {
      if (field.isConnected) continue;
      fields.delete(field);
      hasLeft ||= isFilled(field);
    }
  };
  addEventListener(
    'input',
    (event) => {
      // The path goes into shadow trees, the target does not.
      fields.add(event.composedPath()[0] as Field);
      changes++;
      sweep();
    },
    true,
  );
  return {
    hasInput: () => {
      sweep();
      const restored = document.querySelectorAll<Field>('input,textarea');
      return hasLeft || [...fields].some(isFilled) || (isRestored && [...restored].some(isChanged));
    },
    mark: () => {
      const before = changes;
      return () => {
        sweep();
        if (before === changes) hasLeft = false;
      };
    },
  };
}

/** Or was at first. A box to tick always is: that it was touched is what counts. */
function isFilled({ value, defaultValue, textContent }: Field): unknown {
  return value || defaultValue || textContent;
}

function isChanged({ value, defaultValue, checked, defaultChecked }: Field): boolean {
  return value !== defaultValue || checked !== defaultChecked;
}
