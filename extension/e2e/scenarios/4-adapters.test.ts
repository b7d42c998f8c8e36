/** What was learnt of a repository: chosen, named in the answer, rolled back. */

import { beforeAll, expect, test } from "vitest";
import { adapters, repository } from "../repository.ts";
import { stage } from "../stage.ts";

let made: string[] = [];
const scene = stage("adapters", {
  folder: "tenon",
  workspace: (scratch) => {
    repository(scratch, { training: 20, gate: 20 });
    made = adapters(scratch);
  },
});

/** What the status bar says of an adapter. */
function named(id: string | undefined): RegExp {
  return new RegExp(`tenon-starter · ${id}`);
}

async function complete(): Promise<void> {
  const { editor } = scene.workbench;
  await editor.end();
  await editor.type("\n\ndef lengths(texts: list[str]) -> list[int]:\n    return [len(text) for");
  await editor.suggested();
}

async function choose(text: string): Promise<void> {
  const { workbench } = scene;
  await workbench.palette.run("Tenon: Switch Adapter");
  await workbench.quickPick.row(text).waitFor();
  await workbench.shot("switch-adapter");
  await workbench.quickPick.pick(text);
}

beforeAll(async () => {
  await scene.workbench.statusBar.shows(/tenon-starter/, 120_000);
  await scene.workbench.editor.open("healing.py");
});

test("adapters are listed with their age, commit and figures", async () => {
  const { workbench } = scene;
  await workbench.palette.run("Tenon: Switch Adapter");
  await workbench.quickPick.row(made[0] ?? "").waitFor();
  const labels = await workbench.quickPick.labels();
  expect(labels.join("\n")).toContain(made[1]);
  expect(labels.join("\n")).toMatch(/commit c0ffee/);
  expect(labels.join("\n")).toMatch(/gain \+0\.080 nats\/token/);
  expect(labels.at(-1)).toMatch(/None/);
  await workbench.quickPick.dismiss();
});

test("the one that is chosen completes", async () => {
  const { workbench } = scene;
  await choose(made[0] ?? "");
  await workbench.statusBar.shows(named(made[0]), 60_000);
  await complete();
  await workbench.palette.run("Tenon: Why This Suggestion?");
  expect(await workbench.webview.shows(made[0] ?? "")).toMatch(/tenon-starter/);
  await workbench.shot("why");
});

test("another one takes its place, and Roll Back brings the first again", async () => {
  const { workbench } = scene;
  await workbench.editor.open("healing.py");
  await choose(made[1] ?? "");
  await workbench.statusBar.shows(named(made[1]), 60_000);
  await workbench.palette.run("Tenon: Roll Back Adapter");
  await workbench.statusBar.shows(named(made[0]), 60_000);
  await workbench.shot("rolled-back");
});

test("None leaves the model alone", async () => {
  const { workbench } = scene;
  await choose("None");
  await workbench.statusBar.shows(/tenon-starter$/, 60_000);
});
