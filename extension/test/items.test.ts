import { describe, expect, test } from "vitest";
import { adapterItems, adapterPrompt, AUTOMATIC } from "../src/adapterItems";
import { menu, type MenuCircumstances } from "../src/menu";
import { modelItems } from "../src/modelItems";
import type { AdapterList, ModelLine } from "../src/protocol";
import { trainerActions } from "../src/trainerActions";
import { adapter, report, status } from "./statuses";

const NOW = Date.parse("2026-11-26T12:00:00Z");

function list(changes: Partial<AdapterList> = {}): AdapterList {
  return { root: "/repo", repository: "repo", active: null, adapters: [adapter()], manual: false, origin: "", trouble: "", ...changes };
}

describe("adapters", () => {
  test("a line has age, commit, and the gate's figures", () => {
    const [, first] = adapterItems(list(), NOW);
    expect(first).toMatchObject({
      label: "$(layers) 20261124-1200-abcd",
      description: "2 days ago · commit 01234567",
      detail: "gain +0.052 nats/token, at least +0.031, on 200 spans · 12 MB",
      usable: true,
    });
  });

  test("the one that serves is marked, and None is not", () => {
    const active = adapter({ active: true, pinned: true, tags: ["release"] });
    const [, first, none] = adapterItems(list({ active: active.id, adapters: [active] }), NOW);
    expect(first?.label).toBe(`$(check) ${active.id}`);
    expect(first?.description).toBe("serves now · 2 days ago · commit 01234567 · pinned · release");
    expect(none).toMatchObject({ label: "$(circle-slash) None", description: "", id: "" });
  });

  test("None is last, and marked if the model alone serves", () => {
    expect(adapterItems(list(), NOW).at(-1)).toMatchObject({ label: "$(check) None", description: "serves now" });
  });

  test("the gate's choice comes first, and is what was chosen unless the user chose", () => {
    const active = adapter({ active: true });
    const [automatic, first, none] = adapterItems(list({ active: active.id, adapters: [active] }), NOW);
    expect(automatic).toMatchObject({ label: "$(check) Automatic: the gate's last promotion serves", id: AUTOMATIC, chosen: true });
    // It serves, and may still be chosen: to keep it whatever comes.
    expect([first?.chosen, none?.chosen]).toEqual([false, false]);
  });

  test("what the user chose is said to be that, and to stay", () => {
    const active = adapter({ active: true });
    const manual = list({ active: active.id, adapters: [active], manual: true });
    const [automatic, first, none] = adapterItems(manual, NOW);
    expect(automatic).toMatchObject({ label: "$(sync) Automatic: the gate's last promotion serves", chosen: false });
    expect(automatic?.detail).toContain("in place of what you chose");
    expect(first).toMatchObject({ chosen: true, description: "serves now, by your choice · 2 days ago · commit 01234567" });
    expect(none?.chosen).toBe(false);
    expect(adapterPrompt(manual)).toBe(
      "What serves is your choice: newer ones do not replace it. Which adapter shall complete in this repository?",
    );
    expect(adapterItems(list({ manual: true }), NOW).at(-1)?.chosen).toBe(true);
  });

  test("a choice that cannot be read may be made anew, whatever it was", () => {
    expect(adapterItems(list({ trouble: "active.json is damaged." }), NOW).some(({ chosen }) => chosen)).toBe(false);
  });

  test("one that cannot serve says why", () => {
    const rejected = adapter({ verdict: "rejected", usable: false, gain: -0.01, lower: null, reason: "no gain" });
    const other = adapter({ usable: false, base: "qwen2.5-coder-1.5b", commit: null });
    const imported = adapter({ verdict: "imported", usable: false, lost: true });
    const [, first, second, third] = adapterItems(list({ adapters: [rejected, other, imported] }), NOW);
    expect(first?.description).toBe("2 days ago · commit 01234567 · rejected");
    expect(first?.detail).toBe("gain −0.010 nats/token on 200 spans · did not prove better: no gain · 12 MB");
    expect(second?.detail).toContain("made for qwen2.5-coder-1.5b, which does not serve now");
    expect(second?.description).toBe("2 days ago");
    expect(third?.detail).toContain("did not prove better where it was made");
  });

  test("what stands above says whose they are and what is wrong", () => {
    expect(adapterPrompt(list({ origin: "of /other", trouble: "active.json is damaged." }))).toBe(
      "active.json is damaged. Adapters of /other. Which adapter shall complete in this repository?",
    );
  });
});

describe("models", () => {
  const model = (changes: Partial<ModelLine>): ModelLine => ({
    name: "m", size: 0, licence: "Apache-2.0", installed: false, chosen: false, trainable: true, note: "", ...changes,
  });

  test("the one that serves comes first, then those on this machine, with what a download of the others costs", () => {
    const items = modelItems([
      model({ name: "large", size: 1_600_000_000, note: "needs 3 GB" }),
      model({ name: "own", size: 50_000_000, installed: true, trainable: false, licence: "" }),
      model({ name: "chosen", installed: true, chosen: true }),
      model({ name: "starter", size: 98_000_000, installed: true }),
    ], "starter");
    expect(items.map(({ label, description, detail }) => [label, description, detail])).toEqual([
      ["$(check) starter", "serves now · 98 MB · Apache-2.0", "can learn your repositories"],
      // Chosen for all editors, while the settings of this one name another.
      ["$(device-desktop) chosen", "installed · Apache-2.0", "can learn your repositories"],
      ["$(device-desktop) own", "installed · 50 MB", "cannot be trained"],
      ["$(cloud-download) large", "to be downloaded · 1.6 GB · Apache-2.0", "can learn your repositories · needs 3 GB"],
    ]);
  });
});

describe("the trainer", () => {
  const can = (state: Parameters<typeof report>[0] | null | undefined, manual = false): string =>
    Object.entries(trainerActions(state && report(state), manual))
      .filter(([, value]) => value === true)
      .map(([name]) => name)
      .join(" ");

  test.each([
    [undefined, ""],
    [null, "canTrain canPause"],
    [{ state: "off" }, "canTrain"],
    [{ state: "unavailable" }, "canTrain"],
    [{ state: "waiting" }, "canTrain canPause"],
    [{ state: "error" }, "canTrain"],
    [{ state: "preparing" }, "canCancel canPause"],
    [{ state: "training" }, "canCancel canPause"],
    [{ state: "judging" }, "canCancel canPause"],
    [{ state: "paused", pausedBy: "user" }, "canCancel canResume"],
    [{ state: "paused", pausedBy: "typing" }, "canCancel canPause"],
  ] as const)("%o may be asked for: %s", (state, expected) => {
    expect(can(state)).toBe(expected);
  });

  test.each([
    [null, "canTrain"],
    [{ state: "idle" }, "canTrain"],
    [{ state: "waiting" }, "canTrain"],
    [{ state: "training" }, "canCancel canPause"],
    [{ state: "paused", pausedBy: "user" }, "canCancel canResume"],
    [{ state: "paused", pausedBy: "typing" }, "canCancel canPause"],
  ] as const)("%o may be asked for where nothing begins by itself: %s", (state, expected) => {
    expect(can(state && { ...state, manual: true }, true)).toBe(expected);
  });

  test("what the repository says of itself goes before the window's settings", () => {
    expect(can({ state: "idle", manual: true }, false)).toBe("canTrain");
    expect(can({ state: "idle", manual: false }, true)).toBe("canTrain canPause");
  });
});

describe("the menu", () => {
  const around: MenuCircumstances = { enabled: true, language: "python", languageOff: false, trusted: true, manual: false, workspace: true };
  const commands = (...args: Parameters<typeof menu>): string[] => menu(...args).map((item) => item.command);

  test("of a server that did not start begins with another try, and offers nothing that needs it", () => {
    const items = commands({ kind: "failed", reason: "no Python" }, around);
    expect(items[0]).toBe("tenon.restartServer");
    expect(items).not.toContain("tenon.switchAdapter");
    expect(items.filter((command) => command === "tenon.restartServer")).toHaveLength(1);
  });

  test("offers what the trainer can do", () => {
    const training = status({ trainer: report({ state: "training" }) });
    expect(commands({ kind: "running", status: training }, around).slice(0, 2)).toEqual(["tenon.trainPause", "tenon.trainCancel"]);
    const idle = status({ trainer: report({ manual: true }) });
    expect(commands({ kind: "running", status: idle }, around)).not.toContain("tenon.trainPause");
    expect(commands({ kind: "running", status: status() }, { ...around, manual: true })).not.toContain("tenon.trainPause");
    const lacking = status({ trainer: report({ state: "unavailable" }) });
    expect(commands({ kind: "running", status: lacking }, around)[0]).toBe("tenon.trainSetUp");
  });

  test("has a way back beside the way on", () => {
    const items = commands({ kind: "running", status: status() }, around);
    expect(items.indexOf("tenon.rollBack")).toBe(items.indexOf("tenon.switchAdapter") + 1);
  });

  test("trains nothing that is not trusted", () => {
    const items = commands({ kind: "running", status: status() }, { ...around, trusted: false });
    expect(items).not.toContain("tenon.trainNow");
  });

  test("says whether a click turns completions on or off", () => {
    const labels = menu({ kind: "starting" }, { ...around, enabled: false, languageOff: true }).map((item) => item.label);
    expect(labels).toContain("Turn Completions On");
    expect(labels).toContain("Turn Completions On for python");
    expect(labels).toContain("Turn Completions On in This Workspace");
    expect(commands({ kind: "starting" }, { ...around, workspace: false })).not.toContain("tenon.toggleWorkspace");
  });
});
