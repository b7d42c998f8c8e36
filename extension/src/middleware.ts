/** What is done with messages on their way between VS Code and the server. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { Returned } from "./connection";
import { settings } from "./server";
import type { Thinking } from "./thinking";

/** What passes by on the way. */
export interface Passing {
  readonly thinking: Thinking;
  readonly returned: (answer: Returned) => void;
  /** A part from 0 to 1 while something is on its way; undefined when it has arrived or was stopped. */
  readonly progress: (part: number | undefined) => void;
}

export function middleware(passing: Passing): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const answer = await passing.thinking.during(async () => next(document, position, context, token));
      if (!token.isCancellationRequested) {
        passing.returned({ document, position, items: itemsOf(answer) });
      }
      return answer;
    },
    handleWorkDoneProgress: (token, params, next) => {
      const percentage = params.kind === "end" ? undefined : params.percentage;
      // A report may say nothing new; what begins has not come far, whatever came before it.
      if (percentage !== undefined || params.kind !== "report") {
        passing.progress(percentage === undefined ? undefined : percentage / 100);
      }
      next(token, params);
    },
    workspace: {
      // Asked for `tenon`: without what is the extension's own, and as trust allows.
      configuration: (params) => params.items.map((item) => (item.section === "tenon" ? settings() : null)),
      // Sent by the extension itself, for trust changes settings, too.
      didChangeConfiguration: () => Promise.resolve(),
    },
  };
}

function itemsOf(
  answer: vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined,
): readonly vscode.InlineCompletionItem[] {
  return answer instanceof vscode.InlineCompletionList ? answer.items : (answer ?? []);
}
