/** Tells the server what became of its suggestions, as far as VS Code's events let one conclude. */

import * as vscode from "vscode";
import { Acceptance } from "./acceptance";
import type { Connection, Returned } from "./connection";
import { COMPLETION_ACCEPTED, EVENT } from "./protocol";

export class Feedback implements vscode.Disposable {
  readonly #acceptance: Acceptance;
  readonly #listeners: vscode.Disposable;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.#acceptance = new Acceptance((event) => {
      // A server that is gone needs no feedback, and nobody is to be told.
      connection.notify(EVENT, event).catch(() => undefined);
    });
    this.#listeners = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const changes = contentChanges.map(({ range, text }) => ({ start: range.start, text }));
        this.#follow((now) => {
          this.#acceptance.changed(document.uri.toString(), changes, now);
        });
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
        const [only] = selections;
        const cursor = selections.length === 1 && only?.isEmpty === true ? only.active : undefined;
        this.#follow(() => {
          this.#acceptance.moved(textEditor.document.uri.toString(), cursor);
        });
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#follow(() => {
          this.#acceptance.left();
        });
      }),
    );
  }

  /** An answer is on its way to the editor; one for where the cursor no longer stands is not shown. */
  returned({ document, position, items }: Returned): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document || !editor.selection.active.isEqual(position)) {
      return;
    }
    const [item] = items;
    const id: unknown = item?.command?.command === COMPLETION_ACCEPTED ? item.command.arguments?.[0] : undefined;
    const isOurs = item !== undefined && typeof id === "string" && typeof item.insertText === "string";
    const suggestion =
      isOurs && typeof item.insertText === "string"
        ? {
            id,
            uri: document.uri.toString(),
            cursor: position,
            start: item.range?.start ?? position,
            text: item.insertText,
          }
        : undefined;
    this.#follow((now) => {
      this.#acceptance.returned(suggestion, now);
    });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#listeners.dispose();
  }

  #follow(happens: (now: number) => void): void {
    happens(performance.now());
    clearTimeout(this.#timer);
    const due = this.#acceptance.due;
    if (due !== undefined) {
      this.#timer = setTimeout(() => {
        this.#follow((now) => {
          this.#acceptance.tick(now);
        });
      }, Math.max(0, due - performance.now()) + 1);
    }
  }
}
