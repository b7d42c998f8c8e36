/** Puts the parts together when VS Code has started; whatever is slow begins after that. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import type { Returned } from "./connection";
import { CursorRest } from "./cursor";
import { Feedback } from "./feedback";
import { middleware } from "./middleware";
import { Notices } from "./notices";
import { RESTART_ENGINE, type Status } from "./protocol";
import { Server } from "./server";
import { Installation } from "./setup";
import { StatusItems } from "./status";
import { Thinking } from "./thinking";

/** Called once per window. */
export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  if (vscode.l10n.bundle !== undefined) {
    l10n.config({ contents: vscode.l10n.bundle });
  }
  const log = vscode.window.createOutputChannel("Tenon", { log: true });
  const status = new StatusItems();
  const { server, feedback } = makeServer(context, log, status);
  context.subscriptions.push(
    log,
    status,
    server,
    feedback,
    new CursorRest(server),
    registerCommands({ server, status, log, extensionId: context.extension.id }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("tenon.server.path")) {
        void server.restart();
      } else if (event.affectsConfiguration("tenon")) {
        status.refresh();
        void server.settingsChanged();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => {
      void server.settingsChanged();
    }),
  );
  // In a turn of its own: the window must not wait for looking at files and starting a process.
  setTimeout(() => void server.restart(), 0);
  log.info(`activated in ${Math.round(performance.now() - began)} ms`);
}

function makeServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  status: StatusItems,
): { server: Server; feedback: Feedback } {
  const installation = new Installation(context, log, (step) => {
    status.enter({ kind: "settingUp", step });
  });
  const passing = {
    thinking: new Thinking((thinking) => {
      status.thinking = thinking;
    }),
    returned: (answer: Returned) => {
      feedback.returned(answer);
      if (answer.items.length > 0) {
        status.setContext("tenon.completed", true);
      }
    },
    progress: (part: number | undefined) => {
      status.download = part;
    },
  };
  const notices = new Notices();
  const server = new Server(
    () => installation.command(),
    middleware(passing),
    log,
    context.globalStorageUri.fsPath,
    {
      starting: () => {
        status.enter({ kind: "starting" });
      },
      failed: (reason) => {
        status.enter({ kind: "failed", reason });
      },
      status: (now) => {
        status.enter({ kind: "running", status: now });
        tellOfErrors(now, notices, server, log);
      },
    },
  );
  const feedback = new Feedback(server);
  return { server, feedback };
}

/** One notification when answers cease, however many keystrokes find that out. */
function tellOfErrors(status: Status, notices: Notices, server: Server, log: vscode.LogOutputChannel): void {
  if (status.state === "ready") {
    notices.over();
  }
  if (status.state !== "error" || !notices.first(status.message)) {
    return;
  }
  const [again, showLog] = [l10n.t("Try Again"), l10n.t("Show Log")];
  void vscode.window.showErrorMessage(`Tenon: ${status.message}`, again, showLog).then((answer) => {
    if (answer === again) {
      notices.over();
      void server.execute(RESTART_ENGINE);
    } else if (answer === showLog) {
      log.show();
    }
  });
}
