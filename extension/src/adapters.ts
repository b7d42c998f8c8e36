/** Switch Adapter… and Roll Back Adapter: what was learnt of a repository, and which of it serves. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import { adapterItems, adapterPrompt, type AdapterItem } from "./adapterItems";
import type { Connection } from "./connection";
import { currentUri } from "./places";
import { ACTIVATE_ADAPTER, ADAPTERS, ROLLBACK_ADAPTER, type AdapterList } from "./protocol";

type Pick = vscode.QuickPickItem & { readonly adapter: AdapterItem };

export async function switchAdapter(connection: Connection): Promise<void> {
  const uri = currentUri();
  const list = await connection.request<AdapterList>(ADAPTERS, { uri });
  if (list.adapters.length === 0) {
    await offerTraining(list.repository);
    return;
  }
  const chosen = await pick(list);
  if (chosen === undefined || chosen.chosen) {
    return;
  }
  if (!chosen.usable) {
    void vscode.window.showWarningMessage(l10n.t("{0} cannot serve: {1}", chosen.id, chosen.detail));
    return;
  }
  await connection.execute(ACTIVATE_ADAPTER, chosen.id, uri);
}

export async function rollBack(connection: Connection): Promise<void> {
  const id = await connection.execute<string | null>(ROLLBACK_ADAPTER, currentUri());
  const text =
    id === null || id === ""
      ? l10n.t("No adapter serves now: the model alone completes.")
      : l10n.t("The adapter {0} serves again.", id);
  vscode.window.setStatusBarMessage(`Tenon: ${text}`, 5000);
}

function pick(list: AdapterList): Promise<AdapterItem | undefined> {
  const items: Pick[] = adapterItems(list, Date.now()).map((adapter) => ({
    label: adapter.label,
    description: adapter.description,
    detail: adapter.detail,
    adapter,
  }));
  const box = vscode.window.createQuickPick<Pick>();
  box.title = l10n.t("Adapters of {0}", list.repository);
  box.placeholder = adapterPrompt(list);
  box.matchOnDescription = true;
  box.items = items;
  box.activeItems = items.filter((item) => item.adapter.chosen);
  return new Promise((resolve) => {
    box.onDidAccept(() => {
      resolve(box.selectedItems[0]?.adapter);
      box.hide();
    });
    box.onDidHide(() => {
      resolve(undefined);
      box.dispose();
    });
    box.show();
  });
}

async function offerTraining(repository: string): Promise<void> {
  const train = l10n.t("Train Adapter Now");
  const text = l10n.t("Nothing has been learnt of {0} yet.", repository);
  // What nobody vouches for is not learnt.
  const offered = vscode.workspace.isTrusted ? [train] : [];
  if ((await vscode.window.showInformationMessage(text, ...offered)) === train) {
    await vscode.commands.executeCommand("tenon.trainNow");
  }
}
