/** Tells the server where the cursor has come to rest, so that the engine reads that place before a key is pressed. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import { CURSOR, type Cursor } from "./protocol";

const RESTS_AFTER_MS = 150;

export class CursorRest implements vscode.Disposable {
  readonly #listeners: vscode.Disposable;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly connection: Connection) {
    this.#listeners = vscode.Disposable.from(
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        this.#moved(textEditor);
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        this.#moved(editor);
      }),
    );
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#listeners.dispose();
  }

  #moved(editor: vscode.TextEditor | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const [only] = editor?.selections ?? [];
      if (editor === vscode.window.activeTextEditor && editor?.selections.length === 1 && only?.isEmpty === true) {
        const { line, character } = only.active;
        const cursor: Cursor = { uri: editor.document.uri.toString(), line, character };
        // A server that is gone reads nothing, and nobody is to be told.
        this.connection.notify(CURSOR, cursor).catch(() => undefined);
      }
    }, RESTS_AFTER_MS);
  }
}
