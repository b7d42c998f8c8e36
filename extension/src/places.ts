/** What a command is about: the document at hand, or else the repository that was asked about last. */

import * as vscode from "vscode";
import type { Phase } from "./statusView";

/** The current document's URI, if it lies in an open folder; else `""`: the server knows what was last. */
export function currentUri(): string {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri !== undefined && vscode.workspace.getWorkspaceFolder(uri) !== undefined ? uri.toString() : "";
}

/** The repository whose training the status bar shows, which need not be the current document's. */
export function trainingUri(phase: Phase): string {
  const root = phase.kind === "running" ? (phase.status.trainer?.root ?? "") : "";
  return root === "" ? currentUri() : vscode.Uri.file(root).toString();
}
