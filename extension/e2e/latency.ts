/** From a key to the grey text, by the browser's own clock. */

import type { Page } from "playwright-core";

const ARMED = "tenonArmed";

/**
 * Press `key`, and return the milliseconds from its arrival in the page to the first frame change
 * that holds a suggestion; none may be shown before.
 */
export async function untilGhost(page: Page, key: string): Promise<number> {
  const measured = page.evaluate(
    ({ armed, selector }) =>
      new Promise<number>((resolve, reject) => {
        let pressed = 0;
        const giveUp = setTimeout(() => reject(new Error("no suggestion within 120 s")), 120_000);
        const observer = new MutationObserver(() => {
          if (pressed === 0 || document.querySelector(selector) === null) return;
          observer.disconnect();
          clearTimeout(giveUp);
          resolve(performance.now() - pressed);
        });
        observer.observe(document.body, { childList: true, subtree: true });
        const listen = (): void => {
          pressed = performance.now();
        };
        window.addEventListener("keydown", listen, { capture: true, once: true });
        document.body.dataset[armed] = "yes";
      }),
    { armed: ARMED, selector: ".monaco-editor .ghost-text-decoration, .monaco-editor .ghost-text" },
  );
  await page.waitForFunction((armed) => document.body.dataset[armed] === "yes", ARMED);
  await page.evaluate((armed) => delete document.body.dataset[armed], ARMED);
  await page.keyboard.press(key);
  return await measured;
}
