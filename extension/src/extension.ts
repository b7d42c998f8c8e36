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
import { pages } from "./webview";

/** Ends what runs, and waits for it; undefined before the start. */
let end: (() => Promise<void>) | undefined;

/** Called once per window. */
export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  if (vscode.l10n.bundle !== undefined) {
    l10n.config({ contents: vscode.l10n.bundle });
  }
  const log = vscode.window.createOutputChannel("Tenon", { log: true });
  const status = new StatusItems();
  const { installation, server, feedback } = makeServer(context, log, status);
  end = async () => {
    await Promise.all([installation.stop(), server.stop()]);
    log.dispose(); // at last: what ends still has something to say
  };
  context.subscriptions.push(
    status,
    installation,
    server,
    feedback,
    new CursorRest(server),
    pages,
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

/** The window is closed: VS Code waits some seconds for pip and the server to end, which would go on by themselves. */
export async function deactivate(): Promise<void> {
  await end?.();
}

function makeServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  status: StatusItems,
): { installation: Installation; server: Server; feedback: Feedback } {
  const notices = new Notices();
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
        notices.over();
        status.setContext("tenon.completed", true);
      }
    },
    progress: (part: number | undefined) => {
      status.download = part;
    },
  };
  const server = new Server(
    installation,
    middleware(passing),
    log,
    context.globalStorageUri.fsPath,
    {
      starting: () => {
        status.download = undefined; // one that was on its way ended with the server
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
  return { installation, server, feedback };
}

/** One notification when answers cease, however many keystrokes find that out. */
function tellOfErrors(status: Status, notices: Notices, server: Server, log: vscode.LogOutputChannel): void {
  notices.follow(status.state === "ready", performance.now());
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
