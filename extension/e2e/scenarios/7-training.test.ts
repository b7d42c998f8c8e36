/** A short training at the user's word: seen in the status bar from its start to its verdict. */

import { beforeAll, describe, expect, test } from "vitest";
import { events } from "../feedback.ts";
import { record } from "../results.ts";
import { repository, untrainable } from "../repository.ts";
import { stage } from "../stage.ts";
import { until } from "../waiting.ts";

/** Of training and of its gate; longer ones make better pictures. */
const SECONDS = Number(process.env["TENON_E2E_TRAINING_SECONDS"] ?? 30);
/** Reading a repository and loading a model for training are not in the budgets. */
const PATIENCE = 900_000 + 4_000 * SECONDS;
const reason = untrainable();

describe.skipIf(reason)(`training ${reason}`.trim(), () => {
  const scene = stage("training", {
    folder: "tenon",
    workspace: (scratch) => repository(scratch, { training: SECONDS, gate: SECONDS }),
  });

  beforeAll(async () => {
    await scene.workbench.statusBar.shows(/tenon-starter/, 120_000);
    await scene.workbench.editor.open("healing.py");
  });

  test("Train Adapter Now goes through training to a verdict", { timeout: PATIENCE }, async () => {
    const { workbench, scratch } = scene;
    await workbench.statusBar.click();
    await workbench.quickPick.row("Train Adapter Now").waitFor();
    await workbench.picture("menu", [workbench.quickPick.box], 16);
    await workbench.quickPick.dismiss();
    const began = performance.now();
    await workbench.palette.run("Tenon: Train Adapter Now");
    await workbench.statusBar.shows(/preparing|training/, 120_000);
    await workbench.shot("preparing");
    // A slow machine's first step may take all the time that there is, and no share of it is seen.
    await workbench.statusBar.shows(/training ([1-9]\d?|100) %|judging/, PATIENCE);
    if (/training/.test(await workbench.statusBar.text())) {
      await workbench.picture("training", [workbench.statusBar.position, workbench.statusBar.item], 8);
      await workbench.shot("training");
    }
    await workbench.statusBar.shows(/judging/, PATIENCE);
    await workbench.shot("judging");
    await workbench.statusBar.shows(/tenon-starter/, PATIENCE);
    record({ training_seconds: Math.round((performance.now() - began) / 100) / 10 });
    const listed = await until("the run's adapter is listed", 60_000, () => {
      const found = scratch.tenon("adapters", "list", "--repo", scratch.workspace);
      return /promoted|rejected/.test(found) ? found : undefined;
    });
    console.log(listed);
    await until("the run has ended", 60_000, () => scratch.processes("train").length === 0);
  });

  test("what it learnt is listed", async () => {
    const { workbench } = scene;
    await workbench.palette.run("Tenon: Switch Adapter");
    await workbench.quickPick.row("nats/token").waitFor();
    await workbench.shot("adapters");
    await workbench.picture("adapters", [workbench.quickPick.box], 16);
    await workbench.quickPick.dismiss();
  });

  test("the report shows the run, and what was shown and taken", async () => {
    const { workbench, scratch } = scene;
    await workbench.editor.focus();
    await workbench.editor.end();
    await workbench.editor.type("\n\ndef lengths(texts: list[str]) -> list[int]:\n    return [len(text) for");
    await workbench.editor.suggested();
    await workbench.editor.press("Tab");
    await workbench.editor.save("prompt/healing.py");
    await until("it is in the store", 30_000, () => events(scratch).some(({ kind }) => kind === "accepted"));
    await workbench.palette.run("Tenon: Show Report");
    expect(await workbench.webview.shows(/Adapters and their gates/)).toMatch(/of [1-9] shown/);
    await workbench.shot("report");
    await workbench.widen("Tenon Report");
    await workbench.picture("report", [workbench.webview.frame], 0);
  });
});
