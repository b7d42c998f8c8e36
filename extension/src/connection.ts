/** What the extension's parts need of the running server, and of what it answered. */

import type * as vscode from "vscode";

/** Rejects with an Error that says what to do if no server runs, or with the server's own error. */
export interface Connection {
  request<T>(method: string, params?: unknown): Promise<T>;
  notify(method: string, params: unknown): Promise<void>;
  /** Run a command of the server (`workspace/executeCommand`). */
  execute<T>(command: string, ...args: unknown[]): Promise<T>;
}

/** An answer to one request for inline completions, as it goes to the editor. */
export interface Returned {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
  readonly items: readonly vscode.InlineCompletionItem[];
}
