/** Typing, with the real starter model: what is shown, taken, taken in part, and hidden. */

import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { events } from "../feedback.ts";
import { suggestions } from "../logs.ts";
import { CART, shop, TOTAL } from "../samples.ts";
import { stage } from "../stage.ts";
import { until } from "../waiting.ts";

const scene = stage("typing", { workspace: shop });
const TYPED = CART + TOTAL;

async function typed(text = TOTAL): Promise<void> {
  const { editor } = scene.workbench;
  await editor.end();
  await editor.type(text);
  await editor.suggested();
}

/** How many suggestions stood there for long enough to be seen. */
function shown(): number {
  return events(scene.scratch).filter(({ kind }) => kind === "shown").length;
}

beforeAll(async () => {
  await scene.workbench.statusBar.shows(/tenon-starter/, 120_000);
  await scene.workbench.editor.open("cart.py");
});

afterEach(async () => {
  scene.scratch.file("cart.py", CART);
  await scene.workbench.editor.revert("cart.py");
});

describe("a suggestion", () => {
  let whole = "";

  test("is shown while typing, and Tab takes all of it", async () => {
    const { workbench } = scene;
    await typed();
    await workbench.shot("ghost-text");
    await workbench.editor.press("Tab");
    whole = await workbench.editor.save("cart.py");
    expect(whole.startsWith(TYPED)).toBe(true);
    expect(whole.slice(TYPED.length)).toMatch(/\w/);
    expect(suggestions(scene.scratch)).not.toHaveLength(0);
  });

  test("is explained: what was sent, how long it took, what came of it", async () => {
    const { workbench } = scene;
    // Not what was typed before: an answer out of the cache sends nothing.
    await typed('\n    def names(self) -> list[str]:\n        """Name of every item in the cart."""\n        return [item.');
    await workbench.picture("ghost-text");
    await workbench.palette.run("Tenon: Why This Suggestion?");
    const page = await workbench.webview.shows(/cart\.py/);
    expect(page).toMatch(/tenon-starter/);
    expect(page).toContain("Name of every item in the cart."); // the prompt as it was sent
    await workbench.shot("why");
    await workbench.webview.scrollTo("Other places");
    await workbench.picture("why", [workbench.editor.area], 0);
    await workbench.webview.close("Why This Suggestion?");
    await workbench.editor.focus();
  });

  test("is taken word by word with Ctrl+Right", async () => {
    const { workbench } = scene;
    await typed();
    // The first word is the blank before it, which could as well have been typed.
    await workbench.editor.press("Control+ArrowRight");
    await workbench.editor.suggested();
    await workbench.editor.press("Control+ArrowRight");
    await workbench.shot("word");
    await workbench.editor.press("Escape");
    const saved = await workbench.editor.save("cart.py");
    expect(saved.startsWith(TYPED)).toBe(true);
    expect(saved.length).toBeGreaterThan(TYPED.length + 1);
    expect(saved.length).toBeLessThan(whole.length);
  });

  test("is taken line by line with Alt+End", async () => {
    const { workbench } = scene;
    await typed();
    await workbench.editor.press("Alt+End");
    const saved = await workbench.editor.save("cart.py");
    expect(saved.startsWith(TYPED)).toBe(true);
    const [line = "", ...more] = saved.slice(TYPED.length).split("\n");
    expect(line).toMatch(/\w/);
    expect(more.join("")).toMatch(/^\s*$/);
  });

  test("goes with Escape, and Tab indents then", async () => {
    const { workbench } = scene;
    const before = shown();
    await typed();
    await until("it counts as shown", 30_000, () => shown() > before);
    await workbench.editor.press("Escape");
    await workbench.editor.unsuggested();
    expect(await workbench.editor.save("cart.py")).toBe(TYPED);
    await workbench.editor.press("Tab");
    const indented = await workbench.editor.save("cart.py");
    expect(indented.startsWith(TYPED)).toBe(true);
    expect(indented.slice(TYPED.length)).toMatch(/^ {1,4}$/);
  });

  test("is kept with what became of it: taken, taken in part, and dismissed", async () => {
    const kinds = await until("the gestures are in the store", 30_000, () => {
      const found = new Set(events(scene.scratch).map(({ kind }) => kind));
      return found.size === 4 ? found : undefined;
    }).catch(() => new Set(events(scene.scratch).map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual(["accepted", "dismissed", "partlyAccepted", "shown"]);
  });

  test("is not in the way of Tab at the beginning of a line", async () => {
    const { workbench } = scene;
    await workbench.editor.go(4, 1);
    await workbench.editor.press("Escape", "Tab");
    const saved = await workbench.editor.save("cart.py");
    expect(saved.split("\n")[3]).toMatch(/^ {4}|^$/);
    expect(saved.replace(/^ {4}\n/m, "\n").trimEnd()).toContain("class Item:");
  });
});
