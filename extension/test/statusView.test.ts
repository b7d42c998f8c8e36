import { describe, expect, test } from "vitest";
import { statusView, type Circumstances, type Phase } from "../src/statusView";
import type { Status } from "../src/protocol";
import { report, status } from "./statuses";

const CALM: Circumstances = { thinking: false, download: undefined, languageOff: undefined };

function shown(phase: Phase, circumstances: Partial<Circumstances> = {}): string {
  const view = statusView(phase, { ...CALM, ...circumstances });
  return `${view.icon}: ${view.text}`;
}

function running(changes: Partial<Status>, circumstances: Partial<Circumstances> = {}): string {
  return shown({ kind: "running", status: status(changes) }, circumstances);
}

describe("before a server runs", () => {
  test.each<[Phase, string]>([
    [{ kind: "settingUp", step: "fetching numpy" }, "loading~spin: setting up"],
    [{ kind: "starting" }, "loading~spin: starting"],
    [{ kind: "failed", reason: "The disk is full." }, "error: The disk is full."],
  ])("%o", (phase, expected) => {
    expect(shown(phase)).toBe(expected);
  });

  test("what a set-up is doing stands in the tooltip", () => {
    expect(statusView({ kind: "settingUp", step: "fetching numpy" }, CALM).detail).toBe("fetching numpy");
  });
});

describe("the server's states", () => {
  test.each<[Partial<Status>, string]>([
    [{ state: "starting" }, "loading~spin: starting"],
    [{ state: "downloading" }, "cloud-download: downloading"],
    [{ state: "disabled" }, "circle-slash: off"],
    [{ state: "stopped" }, "circle-outline: resting"],
    [{ state: "error", message: "There is no model." }, "error: There is no model."],
    [{}, "check: tenon-starter"],
    [{ adapter: "20261124-a" }, "check: tenon-starter · 20261124-a"],
    [{ lastError: "the engine was restarted" }, "warning: tenon-starter"],
  ])("%o", (changes, expected) => {
    expect(running(changes)).toBe(expected);
  });

  test("a download tells how much has arrived", () => {
    expect(running({ state: "downloading" }, { download: 0.424 })).toBe("cloud-download: downloading 42 %");
  });

  test("an answer that takes long is seen to be on its way", () => {
    expect(running({}, { thinking: true })).toBe("loading~spin: thinking");
    expect(running({ state: "error" }, { thinking: true })).toMatch(/^error/);
  });

  test("a language that is left out is named", () => {
    expect(running({}, { languageOff: "markdown" })).toBe("circle-slash: off for markdown");
  });

  test("a long reason is cut in the bar, whole in the tooltip, and said to be an error", () => {
    const message = `No model: ${"x".repeat(100)}`;
    const view = statusView({ kind: "running", status: status({ state: "error", message }) }, CALM);
    expect(view.text).toHaveLength(60);
    expect(view.detail).toBe(message);
    expect(view.severity).toBe("error");
    expect(view.label).toBe(`Tenon, error: ${message}`);
  });
});

describe("training", () => {
  const training = report({ state: "training", step: 42, steps: 100, eta: 190, message: "Learning repo." });

  test.each([
    [report({ state: "idle" }), "check: tenon-starter"],
    [report({ state: "waiting" }), "check: tenon-starter"],
    [report({ state: "off" }), "check: tenon-starter"],
    [report({ state: "unavailable" }), "check: tenon-starter"],
    [report({ state: "error", message: "no memory" }), "warning: tenon-starter"],
    [report({ state: "preparing" }), "mortar-board: preparing training"],
    [report({ state: "training" }), "mortar-board: training"],
    [training, "mortar-board: training 42 %, 3 min left"],
    [report({ state: "judging", step: 30, steps: 60 }), "law: judging 50 %"],
    [report({ state: "paused", pausedBy: "user" }), "debug-pause: training paused"],
  ])("%o", (trainer, expected) => {
    expect(running({ trainer })).toBe(expected);
  });

  test("its tooltip says what serves meanwhile, and why it stands still", () => {
    const paused = { ...training, state: "paused", pausedBy: "battery" } as const;
    const { detail } = statusView({ kind: "running", status: status({ trainer: paused }) }, CALM);
    expect(detail).toBe("Learning repo.\n\nIt goes on when the machine is plugged in.\n\ntenon-starter");
  });

  test("what keeps it from beginning, or went wrong, stands in the tooltip of what serves", () => {
    const idle = status({ lastError: "the adapter is damaged", trainer: report({ state: "off", message: "No git repository." }) });
    expect(statusView({ kind: "running", status: idle }, CALM).detail).toBe(
      "tenon-starter is serving.\n\nthe adapter is damaged\n\nNo git repository.",
    );
  });

  test("errors come before it, and it before a language that is left out", () => {
    expect(running({ state: "error", message: "broken", trainer: training })).toBe("error: broken");
    expect(running({ trainer: training }, { languageOff: "go" })).toMatch(/^mortar-board/);
  });

  test("it goes on, and is seen, while completions are off", () => {
    const view = statusView({ kind: "running", status: status({ state: "disabled", message: "Completions are off.", trainer: training }) }, CALM);
    expect(view.text).toBe("training 42 %, 3 min left");
    expect(view.detail).toBe("Learning repo.\n\nCompletions are off.");
    expect(running({ state: "disabled", trainer: report({ state: "idle" }) })).toBe("circle-slash: off");
  });

  test("it goes on while the engine rests", () => {
    expect(running({ state: "stopped", trainer: training })).toMatch(/^mortar-board/);
  });
});
