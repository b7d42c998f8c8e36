/** What the palette, the status bar and the settings offer, and that it acts at once. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { outcomes, SUGGESTED } from "../logs.ts";
import { EXTENSION } from "../places.ts";
import { CART, shop, TOTAL } from "../samples.ts";
import { stage } from "../stage.ts";
import { until } from "../waiting.ts";

const scene = stage("commands", { workspace: shop });
const READY = /tenon-starter/;

/** Type, and wait until the server has ended the request that this caused with `reason`. */
async function typeUntil(reason: RegExp): Promise<void> {
  const { workbench, scratch } = scene;
  const before = outcomes(scratch).length;
  await workbench.editor.end();
  await workbench.editor.type(TOTAL);
  await until(`a request ends with ${reason}`, 60_000, () =>
    outcomes(scratch).slice(before).some((outcome) => reason.test(outcome.reason)),
  );
}

async function undo(): Promise<void> {
  await scene.workbench.editor.press("Escape");
  await scene.workbench.editor.revert("cart.py");
}

beforeAll(async () => {
  await scene.workbench.statusBar.shows(READY, 120_000);
  await scene.workbench.editor.open("cart.py");
});

test("the palette has every command that can be used now", async () => {
  const { workbench } = scene;
  const manifest = JSON.parse(readFileSync(join(EXTENSION, "package.json"), "utf8"));
  const titles: Record<string, string> = JSON.parse(readFileSync(join(EXTENSION, "package.nls.json"), "utf8"));
  const usable = (manifest.contributes.commands as { title: string; enablement?: string }[])
    .filter(({ enablement }) => !/tenon\.can/.test(enablement ?? ""))
    .map(({ title }) => `Tenon: ${titles[title.replaceAll("%", "")]}`);
  const offered = await workbench.palette.find("Tenon: ");
  expect(usable.filter((title) => !offered.some((label) => label.startsWith(title)))).toEqual([]);
});

test("a click on the status bar opens the menu", async () => {
  const { workbench } = scene;
  await workbench.statusBar.click();
  const labels = await workbench.quickPick.labels();
  expect(labels.join("\n")).toMatch(/Switch Adapter[^]*Why This Suggestion\?[^]*Show Logs/);
  await workbench.shot("menu");
  await workbench.quickPick.dismiss();
});

test("Toggle Completions switches them off and on", async () => {
  const { workbench } = scene;
  await workbench.palette.run("Tenon: Toggle Completions");
  await workbench.statusBar.shows(/off/, 30_000);
  await workbench.editor.focus();
  await workbench.shot("off");
  await typeUntil(/^disabled$/);
  expect(await workbench.editor.ghost.count()).toBe(0);
  await undo();
  await workbench.palette.run("Tenon: Toggle Completions");
  await workbench.statusBar.shows(READY, 60_000);
  await typeUntil(SUGGESTED);
  await workbench.editor.suggested();
  await undo();
});

test("a setting acts without a reload", async () => {
  const { workbench, scratch } = scene;
  scratch.configure({ "tenon.disabledLanguages": ["python"] });
  await workbench.statusBar.shows(/off for python/, 30_000);
  await workbench.shot("off-for-python");
  await typeUntil(/^disabled$/);
  await undo();
  scratch.configure({ "tenon.disabledLanguages": [] });
  await workbench.statusBar.shows(READY, 30_000);
  await typeUntil(SUGGESTED);
  await undo();
});

test("Copy Diagnostics copies versions and health, and no source text", async () => {
  const { workbench } = scene;
  await workbench.page.evaluate(() => navigator.clipboard.writeText(""));
  await workbench.palette.run("Tenon: Copy Diagnostics");
  const copied = await until("the diagnostics are in the clipboard", 60_000, () =>
    workbench.page.evaluate(() => navigator.clipboard.readText()),
  );
  expect(copied).toMatch(/tenon-starter/);
  expect(copied).toMatch(/\d+\.\d+\.\d+/);
  for (const line of CART.split("\n").filter((text) => text.trim().length > 12)) expect(copied).not.toContain(line.trim());
});

test("Restart Server brings a new server, which completes", async () => {
  const { workbench } = scene;
  await workbench.palette.run("Tenon: Restart Server");
  await workbench.statusBar.shows(/starting/, 30_000).catch(() => undefined); // it may be too quick to be seen
  await workbench.statusBar.shows(READY, 120_000);
  await workbench.editor.focus();
  await typeUntil(SUGGESTED);
  await undo();
});

test("Show Logs opens the log", async () => {
  const { workbench } = scene;
  await workbench.palette.run("Tenon: Show Logs");
  await workbench.page.locator(".part.panel .output-view-container, .part.panel .monaco-editor").first().waitFor();
  await workbench.shot("log");
});
