/** Copy Diagnostics: what somebody who helps needs to know, without source text. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { DIAGNOSTICS } from "./protocol";

const EXTENSION = "tenon.tenon";

export async function copyDiagnostics(connection: Connection): Promise<void> {
  await vscode.env.clipboard.writeText(`${here()}\n${await fromServer(connection)}`);
  void vscode.window.showInformationMessage(l10n.t("Tenon's diagnostics are in the clipboard."));
}

/** The server's part; where none runs, that is the most important thing to tell. */
async function fromServer(connection: Connection): Promise<string> {
  try {
    return await connection.request<string>(DIAGNOSTICS, {});
  } catch (error) {
    return `No diagnostics of the server: ${error instanceof Error ? error.message : String(error)}\n`;
  }
}

function here(): string {
  const manifest = vscode.extensions.getExtension(EXTENSION)?.packageJSON as { version?: string } | undefined;
  const lines = [
    `extension ${manifest?.version ?? "unknown"}`,
    `${vscode.env.appName} ${vscode.version}, ${vscode.env.appHost}`,
    `remote ${vscode.env.remoteName ?? "none"}`,
    `node ${process.versions.node}, ${process.platform} ${process.arch}`,
    `folders ${vscode.workspace.workspaceFolders?.length ?? 0}, trusted ${String(vscode.workspace.isTrusted)}`,
  ];
  return `Editor:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
