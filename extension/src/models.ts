/** Choose Model…: what can be served, and what a download of it costs. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { modelItems } from "./modelItems";
import { CHOOSE_MODEL, MODELS, type ModelLine } from "./protocol";

export async function chooseModel(connection: Connection): Promise<void> {
  const models = await connection.request<readonly ModelLine[]>(MODELS);
  const chosen = await vscode.window.showQuickPick(modelItems(models), {
    title: l10n.t("Models"),
    placeHolder: l10n.t("Which model shall complete?"),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  const configuration = vscode.workspace.getConfiguration("tenon");
  if (configuration.get<string>("model") !== "") {
    // The setting goes before what is chosen by command; an empty one leaves it the choice.
    await configuration.update("model", undefined, vscode.ConfigurationTarget.Global);
  }
  await connection.execute(CHOOSE_MODEL, chosen.name);
}
