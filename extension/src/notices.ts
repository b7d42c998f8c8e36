/** Says each thing once, however often it happens, until it is over. */
export class Notices {
  readonly #said = new Set<string>();

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
}
