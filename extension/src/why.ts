/** Why This Suggestion?: how the last request in the document at hand ended, in a tab beside it. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { type Explanation, WHY } from "./protocol";
import { showPage } from "./webview";
import { whyPage } from "./whyPage";

export async function showWhy(connection: Connection): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString() ?? "";
  const here = await connection.request<Explanation | null>(WHY, { uri });
  const why = here ?? (await connection.request<Explanation | null>(WHY, { uri: "" }));
  showPage("tenon.why", l10n.t("Why This Suggestion?"), whyPage(why));
}
