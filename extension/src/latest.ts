/** Runs one piece of work at a time; wishes that come in meanwhile become one more run. */
export class Latest {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves or rejects with a run that began after this call. */
  request(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#run();
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined) // whoever asked for that run has heard of it
      .then(() => {
        this.#next = undefined;
        this.#running = this.#run();
        return this.#running;
      });
    return this.#next;
  }

  async #run(): Promise<void> {
    try {
      await this.work();
    } finally {
      this.#running = undefined;
    }
  }
}
