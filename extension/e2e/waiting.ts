/** Waiting for a condition outside the browser, for which Playwright has no means. */

import { setTimeout as pause } from "node:timers/promises";

/**
 * Ask `condition` until its answer is truthy, and return that. An error that it throws ends the
 * wait; after `patience` milliseconds the wait fails, naming what was waited for.
 */
export async function until<T>(
  what: string,
  patience: number,
  condition: () => Promise<T> | T,
  interval = 100,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + patience;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadline) {
      throw new Error(`waited ${Math.round(patience / 1000)} s in vain until ${what}`);
    }
    await pause(interval);
  }
}
