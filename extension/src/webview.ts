/** Pages without scripts in tabs of the editor, each kind in one tab. */

import * as vscode from "vscode";

const tabs = new Map<string, vscode.WebviewPanel>();

/** All of them, to be closed with the extension: nobody would fill them again. */
export const pages = {
  dispose(): void {
    tabs.forEach((tab) => {
      tab.dispose();
    });
  },
};

/** Shows a page, whose own policy allows styles alone; in the tab of its kind if there is one. */
export function showPage(kind: string, title: string, html: string): void {
  let tab = tabs.get(kind);
  if (tab === undefined) {
    const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    tab = vscode.window.createWebviewPanel(kind, title, column, { enableScripts: false, localResourceRoots: [] });
    tab.onDidDispose(() => tabs.delete(kind));
    tabs.set(kind, tab);
  } else {
    tab.reveal(undefined, true);
  }
  tab.webview.html = html;
}
