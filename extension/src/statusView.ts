/** What the status bar and the language status say of a phase; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";
import { duration, percent, shortened } from "./wording";
import type { Status, TrainerReport } from "./protocol";

/** What the extension knows of itself and of its server. */
export type Phase =
  | { readonly kind: "settingUp"; readonly step: string }
  | { readonly kind: "starting" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "running"; readonly status: Status };

/** What only the editor knows. */
export interface Circumstances {
  /** A request has been on its way for long enough to be noticed. */
  readonly thinking: boolean;
  /** Part of a download that is done, 0 to 1. */
  readonly download: number | undefined;
  /** The language of the current document, if completions are off in it. */
  readonly languageOff: string | undefined;
}

export type Severity = "information" | "warning" | "error";

export interface StatusView {
  /** Name of a codicon. */
  readonly icon: string;
  /** What stands behind the icon in the status bar. */
  readonly text: string;
  /** A sentence or two: what it means, and what to do about it. */
  readonly detail: string;
  readonly severity: Severity;
  readonly busy: boolean;
  /** What a screen reader says instead of icon and text. */
  readonly label: string;
}

const SPINNING = "loading~spin";
const LONGEST_REASON = 60;

export function statusView(phase: Phase, circumstances: Circumstances): StatusView {
  switch (phase.kind) {
    case "settingUp":
      return view(SPINNING, l10n.t("setting up"), phase.step, { busy: true });
    case "starting":
      return view(SPINNING, l10n.t("starting"), l10n.t("The language server is starting."), { busy: true });
    case "failed":
      return failure(phase.reason);
    case "running":
      return running(phase.status, circumstances);
  }
}

function running(status: Status, circumstances: Circumstances): StatusView {
  switch (status.state) {
    case "starting":
      return view(SPINNING, l10n.t("starting"), status.message, { busy: true });
    case "downloading": {
      const done = circumstances.download;
      const text = done === undefined ? l10n.t("downloading") : l10n.t("downloading {0}", percent(done));
      return view("cloud-download", text, status.message, { busy: true });
    }
    case "error":
      return failure(status.message);
    case "disabled":
      return training(status) ?? view("circle-slash", l10n.t("off"), status.message);
    case "stopped":
      return training(status) ?? view("circle-outline", l10n.t("resting"), status.message);
    case "ready":
      return ready(status, circumstances);
  }
}

function ready(status: Status, circumstances: Circumstances): StatusView {
  const serving = servingText(status);
  if (circumstances.thinking) {
    return view(SPINNING, l10n.t("thinking"), serving, { busy: true });
  }
  const trainer = training(status);
  if (trainer !== undefined) {
    return trainer;
  }
  if (circumstances.languageOff !== undefined) {
    const text = l10n.t("off for {0}", circumstances.languageOff);
    return view("circle-slash", text, l10n.t("Completions are off for {0} files.", circumstances.languageOff));
  }
  const trouble = status.lastError !== "" || status.trainer?.state === "error";
  const severity: Severity = trouble ? "warning" : "information";
  const learning = status.trainer?.message ?? "";
  const detail = [status.message, status.lastError, learning].filter((part) => part !== "").join("\n\n");
  return view(trouble ? "warning" : "check", serving, detail, { severity });
}

/** `model · adapter`, or the model alone. */
export function servingText(status: Status): string {
  return status.adapter === null || status.adapter === "" ? status.model : `${status.model} · ${status.adapter}`;
}

/** What the trainer does, if it is worth the place of what serves. */
function training(status: Status): StatusView | undefined {
  const report = status.trainer;
  if (report === null) {
    return undefined;
  }
  const detail = trainingDetail(report, status);
  switch (report.state) {
    case "preparing":
      return view("mortar-board", l10n.t("preparing training"), detail, { busy: true });
    case "training":
      return view("mortar-board", withRest(l10n.t("training"), report), detail, { busy: true });
    case "judging":
      return view("law", withRest(l10n.t("judging"), report), detail, { busy: true });
    case "paused":
      return view("debug-pause", l10n.t("training paused"), detail);
    case "off":
    case "unavailable":
    case "idle":
    case "waiting":
    case "error":
      return undefined;
  }
}

function withRest(name: string, report: TrainerReport): string {
  const done = report.steps > 0 ? ` ${percent(report.step / report.steps)}` : "";
  const rest = report.eta === null ? "" : `, ${l10n.t("{0} left", duration(report.eta))}`;
  return `${name}${done}${rest}`;
}

function trainingDetail(report: TrainerReport, status: Status): string {
  const why = pausedBecause(report);
  const serving = status.state === "disabled" ? status.message : servingText(status);
  return [report.message, why, serving].filter((part) => part !== "").join("\n\n");
}

/** Why training stands still, unless it does not or the user wanted it so. */
function pausedBecause(report: TrainerReport): string {
  switch (report.pausedBy) {
    case "typing":
      return l10n.t("It goes on when you have not typed for a while.");
    case "memory":
      return l10n.t("It goes on when there is more free memory.");
    case "battery":
      return l10n.t("It goes on when the machine is plugged in.");
    case "user":
    case "":
      return "";
  }
}

function failure(reason: string): StatusView {
  return view("error", shortened(reason, LONGEST_REASON), reason, { severity: "error" });
}

function view(
  icon: string,
  text: string,
  detail: string,
  options: { severity?: Severity; busy?: boolean } = {},
): StatusView {
  const { severity = "information", busy = false } = options;
  // A screen reader gets no icon, so the severity is said in words.
  const label = severity === "error" ? l10n.t("Tenon, error: {0}", detail) : l10n.t("Tenon: {0}", text);
  return { icon, text, detail, severity, busy, label };
}
