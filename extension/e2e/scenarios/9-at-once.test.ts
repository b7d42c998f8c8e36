/** What VS Code itself takes of that way: the same keys, and an extension that has its answer at once. */

import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { hide, rounds, untilGhost } from "../latency.ts";
import { HERE } from "../places.ts";
import { median, record } from "../results.ts";
import { shop } from "../samples.ts";
import { stage } from "../stage.ts";

const scene = stage("at-once", { prepared: false, workspace: shop, instead: join(HERE, "at-once") });

beforeAll(async () => {
  // A key that asks before would do harm: VS Code keeps "nothing" for that place until the text changes.
  await scene.workbench.statusBar.shows(/at once/, 120_000);
  await scene.workbench.editor.open("checkout.py");
});

test("VS Code's own part is measured", async () => {
  const { workbench } = scene;
  const { typed, asked } = await rounds(workbench, async (key) => {
    await hide(workbench);
    return await untilGhost(workbench.page, key);
  });
  record({
    at_once_typed_ms: Math.round(median(typed)), // with VS Code's own wait of 50 ms
    at_once_asked_ms: Math.round(median(asked)),
  });
  expect(median(asked)).toBeLessThan(1_000);
});
