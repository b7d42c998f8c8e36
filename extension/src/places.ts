/** What a command is about: the document at hand, or else the folder. */

import * as vscode from "vscode";

/** The current document's URI, else the first folder's; `""` if there is neither. */
export function currentUri(): string {
  const document = vscode.window.activeTextEditor?.document;
  const isAFile = document?.uri.scheme === "file";
  const uri = isAFile ? document.uri : vscode.workspace.workspaceFolders?.[0]?.uri;
  return uri?.toString() ?? "";
}
