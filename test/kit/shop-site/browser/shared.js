// What the page's script and its lazy parts have in common: bundlers make such chunks.
export const build = '__BUILD__';
