/** A workspace that nobody vouches for: it completes, and nothing in it is believed. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CART, shop, TOTAL } from "../samples.ts";
import { stage } from "../stage.ts";

const scene = stage("untrusted", {
  trusted: false,
  workspace: (scratch) => {
    shop(scratch);
    const trap = scratch.file("trap.sh", `#!/bin/sh\ntouch "${join(scratch.root, "sprung")}"\n`, 0o755);
    const settings = { "tenon.server.path": trap, "tenon.engineUrl": "http://127.0.0.1:9", "tenon.training": "automatic" };
    scratch.file(".vscode/settings.json", JSON.stringify(settings));
  },
});

beforeAll(async () => {
  const { page } = scene.workbench;
  await page.locator(".monaco-dialog-box").getByRole("button", { name: /No, I don't trust/ }).click();
});

test("completions come all the same", async () => {
  const { workbench } = scene;
  await workbench.page.locator(".statusbar-item").filter({ hasText: "Restricted Mode" }).waitFor();
  await workbench.statusBar.shows(/tenon-starter/, 120_000);
  await workbench.editor.open("cart.py");
  await workbench.editor.end();
  await workbench.editor.type(TOTAL);
  await workbench.editor.suggested();
  await workbench.shot("restricted");
  await workbench.editor.press("Tab");
  expect((await workbench.editor.save("cart.py")).length).toBeGreaterThan((CART + TOTAL).length);
});

test("the program that the workspace names is not run", () => {
  expect(existsSync(join(scene.scratch.root, "sprung"))).toBe(false);
});

test("nothing is learnt there", async () => {
  const { workbench, scratch } = scene;
  const offered = await workbench.palette.find("Tenon: ");
  expect(offered.filter((label) => /Train Adapter Now/.test(label))).toEqual([]);
  expect(scratch.processes("train")).toEqual([]);
});
