/** The extension's commands, each in a line or two; their work is done elsewhere. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import { rollBack, switchAdapter } from "./adapters";
import { copyDiagnostics } from "./diagnostics";
import { menu } from "./menu";
import { chooseModel } from "./models";
import { currentUri, trainingUri } from "./places";
import { CANCEL_TRAINING, PAUSE_TRAINING, RESUME_TRAINING, SETUP_TRAINING, START_TRAINING } from "./protocol";
import { showReport } from "./report";
import type { Server } from "./server";
import { levelOf, stringsOf, toggledLanguages, written, type Level } from "./settings";
import { languageOff, trainsOnCommand, type StatusItems } from "./status";
import { showWhy } from "./why";

/** What the commands work with. */
export interface Parts {
  readonly server: Server;
  readonly status: StatusItems;
  readonly log: vscode.LogOutputChannel;
  /** Of this extension, `publisher.name`. */
  readonly extensionId: string;
}

type Command = () => unknown;

const TARGETS: Readonly<Record<Level, vscode.ConfigurationTarget>> = {
  global: vscode.ConfigurationTarget.Global,
  workspace: vscode.ConfigurationTarget.Workspace,
};

/** What the server gets to notice that packages were installed. */
const NEWS_MS = 30_000;

/** Register every command of package.json. A failure is said once, with the log one click away. */
export function registerCommands(parts: Parts): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(commands(parts)).map(([id, command]) =>
      vscode.commands.registerCommand(id, () => guarded(command, parts.log)),
    ),
  );
}

function commands({ server, status, log, extensionId }: Parts): Record<string, Command> {
  return {
    "tenon.trainNow": () => trainNow(server, status),
    "tenon.trainCancel": () => server.execute(CANCEL_TRAINING, trainingUri(status.phase)),
    "tenon.trainPause": () => server.execute(PAUSE_TRAINING, trainingUri(status.phase)),
    "tenon.trainResume": () => server.execute(RESUME_TRAINING, trainingUri(status.phase)),
    "tenon.trainSetUp": () => server.execute(SETUP_TRAINING),
    "tenon.switchAdapter": () => switchAdapter(server),
    "tenon.rollBack": () => rollBack(server),
    "tenon.pickModel": () => chooseModel(server, status.phase.kind === "running" ? status.phase.status.model : ""),
    "tenon.explain": () => showWhy(server),
    "tenon.showReport": () => showReport(server),
    "tenon.copyDiagnostics": () => copyDiagnostics(server),
    "tenon.toggle": () => toggle(),
    "tenon.toggleWorkspace": () => toggle("workspace"),
    "tenon.toggleLanguage": toggleLanguage,
    "tenon.restartServer": () => server.restart(),
    "tenon.showLogs": () => {
      log.show();
    },
    "tenon.openWalkthrough": () =>
      vscode.commands.executeCommand("workbench.action.openWalkthrough", `${extensionId}#start`, false),
    "tenon.showMenu": () => showMenu(status),
  };
}

/** Training's packages are large, and are asked for only now, when somebody wants to train. */
async function trainNow(server: Server, status: StatusItems): Promise<void> {
  const phase = status.phase;
  if (phase.kind === "running" && phase.status.trainer?.state === "unavailable") {
    if (!(await server.execute<boolean>(SETUP_TRAINING))) {
      return; // the user wants it later, or the server has said why not
    }
    await status.until((now) => now.trainer?.state !== "unavailable", NEWS_MS);
  }
  await server.execute(START_TRAINING, currentUri());
}

/** Turn completions on or off at a level; undefined: where that has an effect. */
async function toggle(wanted?: Level): Promise<void> {
  const configuration = vscode.workspace.getConfiguration("tenon");
  const levels = configuration.inspect<boolean>("enabled");
  const level = wanted ?? levelOf(levels);
  const value = !configuration.get("enabled", true);
  await configuration.update("enabled", written(value, level, levels), TARGETS[level]);
}

async function toggleLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    return;
  }
  const configuration = vscode.workspace.getConfiguration("tenon");
  const disabled = stringsOf(configuration.get("disabledLanguages"));
  const level = levelOf(configuration.inspect("disabledLanguages"));
  await configuration.update("disabledLanguages", toggledLanguages(disabled, language), TARGETS[level]);
}

async function showMenu(status: StatusItems): Promise<void> {
  const items = menu(status.phase, {
    enabled: vscode.workspace.getConfiguration("tenon").get("enabled", true),
    language: vscode.window.activeTextEditor?.document.languageId,
    languageOff: languageOff() !== undefined,
    trusted: vscode.workspace.isTrusted,
    manual: trainsOnCommand(),
    workspace: vscode.workspace.workspaceFolders !== undefined,
  }).map(({ icon, label, command }) => ({ label: `$(${icon}) ${label}`, command }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: "Tenon",
    placeHolder: status.detail.replace(/\s*\n+/g, " "), // it has one line
  });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

async function guarded(command: Command, log: vscode.LogOutputChannel): Promise<void> {
  try {
    await command();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error(message);
    const showLog = l10n.t("Show Log");
    if ((await vscode.window.showErrorMessage(`Tenon: ${message}`, showLog)) === showLog) {
      log.show();
    }
  }
}
