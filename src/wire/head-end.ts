// Where a head ends, before anything in it is read.

const END = Buffer.from('\r\n\r\n', 'latin1');
const LF = 10;
const CR = 13;

/** Position after the empty line that ends the head beginning at `start`; -1 when it has not come yet. */
export function headEnd(buffer: Buffer, start: number): number {
  const at = buffer.indexOf(END, start);
  return at === -1 ? -1 : at + END.length;
}

/**
 * Whether what has come of an unfinished head can still become one: a line feed without its carriage return cannot, and a
 * client that ends its lines so would wait for ever.
 */
export function hasBareLineFeed(buffer: Buffer, start: number): boolean {
  for (let at = buffer.indexOf(LF, start); at !== -1; at = buffer.indexOf(LF, at + 1)) {
    if (at === start || buffer[at - 1] !== CR) return true;
  }
  return false;
}
