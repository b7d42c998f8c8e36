/** So long has all been well that what comes next is a trouble of its own, in milliseconds. */
const CALM_MS = 120_000;

/** Says each thing once, however often it happens, until it is over. */
export class Notices {
  readonly #said = new Set<string>();
  #wellSince: number | undefined;

  /** Whether `key` has not been said since it was last over. */
  first(key: string): boolean {
    const isFirst = !this.#said.has(key);
    this.#said.add(key);
    return isFirst;
  }

  /** Whatever was wrong is over; the next time it is said again. */
  over(): void {
    this.#said.clear();
  }

  /**
   * How things are since `now` (milliseconds). To be well for a moment ends nothing: an engine that
   * ends at every request is well between two of them.
   */
  follow(isWell: boolean, now: number): void {
    if (this.#wellSince !== undefined && now - this.#wellSince > CALM_MS) {
      this.over();
    }
    this.#wellSince = isWell ? (this.#wellSince ?? now) : undefined;
  }
}
