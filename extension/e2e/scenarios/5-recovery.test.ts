/** What dies comes back, without a word that the user would have to answer. */

import { beforeAll, expect, test } from "vitest";
import { CART, shop, TOTAL } from "../samples.ts";
import { stage } from "../stage.ts";
import { until } from "../waiting.ts";

const scene = stage("recovery", { workspace: shop });

beforeAll(async () => {
  await scene.workbench.statusBar.shows(/tenon-starter/, 120_000);
  await scene.workbench.editor.open("cart.py");
});

test("completions come again after the engine was killed", async () => {
  const { workbench, scratch } = scene;
  const first = await until("an engine runs", 60_000, () => scratch.engine());
  process.kill(first, "SIGKILL");
  await workbench.editor.end();
  await workbench.editor.type(TOTAL);
  const second = await until("another engine runs", 120_000, () => (scratch.engine() === first ? undefined : scratch.engine()));
  expect(second).not.toBe(first);
  await workbench.statusBar.shows(/tenon-starter/, 120_000);
  await workbench.shot("engine-is-back");
  await workbench.editor.focus();
  await workbench.editor.type(" ");
  await workbench.editor.suggested();
  await workbench.editor.press("Tab");
  const saved = await workbench.editor.save("cart.py");
  expect(saved.length).toBeGreaterThan((CART + TOTAL).length + 1);
  expect(await workbench.notifications.all.count()).toBe(0);
});

test("the server comes back after it was killed", async () => {
  const { workbench, scratch } = scene;
  const [first] = scratch.processes("serve");
  expect(first).toBeDefined();
  process.kill(first ?? 0, "SIGKILL");
  await until("another server runs", 60_000, () => scratch.processes("serve").some((pid) => pid !== first));
  await workbench.statusBar.shows(/tenon-starter/, 120_000);
  await workbench.editor.focus();
  await workbench.editor.end();
  await workbench.editor.type("\n\ndef total_of(cart: Cart) -> float:\n    return");
  await workbench.editor.suggested();
  await workbench.shot("server-is-back");
});
