// A lazy part: loaded when it is wanted, perhaps long after the next version was deployed.

import { build as sharedBuild } from '__SHARED__';

export const build = '__BUILD__';
export { sharedBuild };

export function show(place) {
  place.textContent = `__NAME__ of ${build}`;
}
