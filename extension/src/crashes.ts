/** When a server that keeps ending is started no more. */
export class Crashes {
  #times: number[] = [];

  /** At most `most` crashes within `milliseconds`. */
  constructor(
    private readonly most = 4,
    private readonly milliseconds = 180_000,
  ) {}

  /** Note a crash at `now` (milliseconds); whether the server may be started again. */
  mayRestart(now: number): boolean {
    this.#times = [...this.#times.filter((time) => now - time < this.milliseconds), now];
    return this.#times.length < this.most;
  }

  /** The user starts it by hand: what was before no longer counts. */
  forget(): void {
    this.#times = [];
  }
}
