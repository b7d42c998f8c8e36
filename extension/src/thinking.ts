/** Requests that are on their way, once one of them takes long enough to be noticed. */
export class Thinking {
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  /** `changed` hears of every change of what is to be shown; quick answers change nothing. */
  constructor(
    private readonly changed: (thinking: boolean) => void,
    private readonly delayMs = 200,
  ) {}

  /** Do `work`, and count it among what is on its way. */
  async during<T>(work: () => PromiseLike<T>): Promise<T> {
    this.#running += 1;
    this.#timer ??= setTimeout(() => {
      this.#show(true);
    }, this.delayMs);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#show(false);
      }
    }
  }

  #show(thinking: boolean): void {
    if (thinking !== this.#shown) {
      this.#shown = thinking;
      this.changed(thinking);
    }
  }
}
