/** From a key to the grey text, by the browser's own clock. */

import type { Page } from "playwright-core";
import type { Workbench } from "./workbench.ts";

const ARMED = "tenonArmed";
const NAMES = ["Box", "Card", "Panel", "Frame", "Window", "Sheet", "Screen", "Poster", "Label", "Stamp", "Banner", "Tile"];
/** Where a class begins whose last line no model is in two minds about. */
const BEGUN = [
  "    def __init__(self, left, top, width, height):",
  "        self.left = left",
  "        self.top = top",
  "        self.width = width",
  "        self.",
].join("\n");

/** Begin class after class in the open file, and take the `time` of a key that types and of the one that asks. */
export async function rounds<T>({ editor }: Workbench, time: (key: string) => Promise<T>): Promise<{ typed: T[]; asked: T[] }> {
  const found: { typed: T[]; asked: T[] } = { typed: [], asked: [] };
  for (const name of NAMES) {
    await editor.end();
    await editor.insert(`\n\nclass ${name}:\n${BEGUN}`);
    await editor.type("h");
    // Were it still under way, it would be taken for that of the next key. It need not come at all.
    await editor.suggested(5_000).catch(() => undefined);
    found.typed.push(await time("e"));
    found.asked.push(await time("Alt+Backslash"));
    await editor.press("Tab");
  }
  return found;
}

/** Hide what is shown; the next key shall bring it. */
export async function hide({ editor }: Workbench): Promise<void> {
  await editor.press("Escape");
  await editor.unsuggested();
}

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
