/** Show Report: what Tenon learnt of the repository at hand, and how its suggestions fared. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { currentUri } from "./places";
import { type Page, REPORT } from "./protocol";
import { showPage } from "./webview";

export async function showReport(connection: Connection): Promise<void> {
  const uri = currentUri();
  const options = { location: vscode.ProgressLocation.Window, title: l10n.t("Tenon draws its report") };
  const page = await vscode.window.withProgress(options, () => connection.request<Page>(REPORT, { uri }));
  showPage("tenon.report", l10n.t("Tenon Report"), page.html);
}
