// The date as HTTP writes it (RFC 9110 section 5.6.7), made once a second.

export class HttpDate {
  #second = -1;
  #text = '';

  /** `wallMs`: since the Unix epoch. */
  at(wallMs: number): string {
    const second = Math.floor(wallMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(wallMs).toUTCString();
    }
    return this.#text;
  }
}
