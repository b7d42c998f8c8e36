/** Choose Model…: what can be served, and what a download of it costs. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { modelItems } from "./modelItems";
import { CHOOSE_MODEL, MODELS, type ModelLine } from "./protocol";

/** `serving`: the model that serves now, as the status says; empty: none. */
export async function chooseModel(connection: Connection, serving: string): Promise<void> {
  const models = await connection.request<readonly ModelLine[]>(MODELS);
  const chosen = await vscode.window.showQuickPick(modelItems(models, serving), {
    title: l10n.t("Models"),
    placeHolder: l10n.t("Which model shall complete?"),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  const configuration = vscode.workspace.getConfiguration("tenon");
  const setting = configuration.get<string>("model", "");
  if (setting === "") {
    await connection.execute(CHOOSE_MODEL, chosen.name);
    return;
  }
  // The setting goes before what is chosen by command: the name is written there, and not before the
  // model serves, for one that cannot be had must not be what the next start asks for.
  await connection.execute(CHOOSE_MODEL, chosen.name, true);
  const isWorkspaces = configuration.inspect<string>("model")?.workspaceValue === setting;
  const target = isWorkspaces ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update("model", chosen.name, target);
}
