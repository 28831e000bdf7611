// One thing at a time, in the order of asking: this is what makes the control plane the single writer.

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as the job does; a job that fails does not stop those after it. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was asked so far has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
