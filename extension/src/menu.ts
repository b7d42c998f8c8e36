/** What a click on the status bar offers, most useful first; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";
import type { Phase } from "./statusView";
import { trainerActions } from "./trainerActions";

export interface MenuItem {
  /** Name of a codicon. */
  readonly icon: string;
  readonly label: string;
  readonly command: string;
}

/** What the menu depends on besides the phase. */
export interface MenuCircumstances {
  readonly enabled: boolean;
  /** Of the current document; undefined without one. */
  readonly language: string | undefined;
  readonly languageOff: boolean;
  readonly trusted: boolean;
  /** Whether the settings have training begin on command only. */
  readonly manual: boolean;
  /** Whether a folder is open, whose settings can be changed. */
  readonly workspace: boolean;
}

export function menu(phase: Phase, circumstances: MenuCircumstances): MenuItem[] {
  const { enabled, language, languageOff, workspace } = circumstances;
  const running = phase.kind === "running";
  const items: (MenuItem | false)[] = [
    phase.kind === "failed" && item("debug-restart", l10n.t("Try Again"), "tenon.restartServer"),
    ...(running ? training(phase, circumstances) : []),
    running && item("layers", l10n.t("Switch Adapter…"), "tenon.switchAdapter"),
    running && item("discard", l10n.t("Roll Back Adapter"), "tenon.rollBack"),
    running && item("chip", l10n.t("Choose Model…"), "tenon.pickModel"),
    running && item("question", l10n.t("Why This Suggestion?"), "tenon.explain"),
    running && item("graph", l10n.t("Show Report"), "tenon.showReport"),
    item(
      enabled ? "circle-slash" : "check",
      enabled ? l10n.t("Turn Completions Off") : l10n.t("Turn Completions On"),
      "tenon.toggle",
    ),
    workspace &&
      item(
        enabled ? "circle-slash" : "check",
        enabled ? l10n.t("Turn Completions Off in This Workspace") : l10n.t("Turn Completions On in This Workspace"),
        "tenon.toggleWorkspace",
      ),
    language !== undefined &&
      item(
        languageOff ? "check" : "circle-slash",
        languageOff
          ? l10n.t("Turn Completions On for {0}", language)
          : l10n.t("Turn Completions Off for {0}", language),
        "tenon.toggleLanguage",
      ),
    item("output", l10n.t("Show Logs"), "tenon.showLogs"),
    item("clippy", l10n.t("Copy Diagnostics"), "tenon.copyDiagnostics"),
    phase.kind !== "failed" && item("debug-restart", l10n.t("Restart Server"), "tenon.restartServer"),
    item("book", l10n.t("Open Walkthrough"), "tenon.openWalkthrough"),
  ];
  return items.filter((entry) => entry !== false);
}

function training(
  phase: Phase & { kind: "running" },
  { trusted, manual }: MenuCircumstances,
): (MenuItem | false)[] {
  const trainer = phase.status.trainer;
  const can = trainerActions(trainer, manual);
  const unavailable = trainer?.state === "unavailable";
  return [
    trusted && unavailable && item("tools", l10n.t("Set Up Training"), "tenon.trainSetUp"),
    trusted && can.canTrain && !unavailable && item("mortar-board", l10n.t("Train Adapter Now"), "tenon.trainNow"),
    can.canPause && item("debug-pause", l10n.t("Pause Training"), "tenon.trainPause"),
    can.canResume && item("debug-start", l10n.t("Resume Training"), "tenon.trainResume"),
    can.canCancel && item("close", l10n.t("Cancel Training"), "tenon.trainCancel"),
  ];
}

function item(icon: string, label: string, command: string): MenuItem {
  return { icon, label, command };
}
