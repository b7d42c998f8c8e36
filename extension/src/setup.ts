/** First start and upgrades: the server's environment is made with progress, cancel, retry and log. */

import * as os from "node:os";
import * as path from "node:path";
import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import { bundledWheel, Environment, quiet, type Step } from "./environment";
import { remedies, sentence, SetupFailure, type Remedy } from "./failures";
import { alone } from "./lock";
import { pipProgress } from "./pipProgress";
import { run } from "./processes";
import { candidates } from "./python";
import { resolve, type Wheel } from "./resolution";

const CHOSEN_PYTHON = "python";
const PYTHON_PAGE = "https://www.python.org/downloads/";

/** How the server is started, with which variables, or why it cannot be. */
export type ServerCommand =
  | { readonly kind: "command"; readonly command: string; readonly env: NodeJS.ProcessEnv }
  | { readonly kind: "failed"; readonly reason: string };

/** The server's installation; `told` hears what a set-up is doing, in words. */
export class Installation implements vscode.Disposable {
  readonly #environment: Environment;
  #ending = new AbortController();
  #underWay: Promise<unknown> = Promise.resolve();
  #anew = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly told: (step: string) => void,
  ) {
    this.#environment = new Environment(path.join(context.globalStorageUri.fsPath, "server"));
  }

  /** End a set-up that is under way: what it has made by then is made again the next time. */
  abandon(): void {
    this.#ending.abort(new vscode.CancellationError());
  }

  dispose(): void {
    this.abandon();
  }

  /** The same, once its processes have ended and another window may begin. */
  async stop(): Promise<void> {
    this.abandon();
    await this.#underWay;
  }

  /** The command that starts the server; sets it up first if need be. One at a time. */
  async command(): Promise<ServerCommand> {
    const ending = (this.#ending = new AbortController());
    const wheel = await bundledWheel(path.join(this.context.extensionPath, "wheel"));
    const found = await resolve({
      serverPath: vscode.workspace.getConfiguration("tenon").get<string>("server.path", ""),
      home: os.homedir(),
      marker: await this.#environment.marker(),
      wheel,
      exists: isFile,
    });
    switch (found.kind) {
      case "path":
        // Its surroundings are the user's, too.
        return { kind: "command", command: found.command, env: process.env };
      case "environment":
        return this.#own();
      case "notFound":
        return this.#notFound(found.path);
      case "setUp":
        return this.#setUp(wheel, found.upgrade, ending);
    }
  }

  /** The `tenon` that was set up; led astray by nothing, as its set-up was not. */
  #own(): ServerCommand {
    return { kind: "command", command: this.#environment.tenon, env: quiet(process.env) };
  }

  #notFound(file: string): ServerCommand {
    const reason = l10n.t("`tenon.server.path` names no program: {0}. It must be the full path of `tenon`.", file);
    const open = l10n.t("Open Settings");
    void vscode.window.showErrorMessage(reason, open).then((answer) => {
      if (answer === open) {
        void vscode.commands.executeCommand("workbench.action.openSettings", "tenon.server.path");
      }
    });
    return { kind: "failed", reason };
  }

  async #setUp(wheel: Wheel | undefined, upgrade: boolean, ending: AbortController): Promise<ServerCommand> {
    try {
      if (wheel === undefined) {
        throw new SetupFailure("noWheel");
      }
      const working = Promise.resolve(this.#withProgress(wheel, upgrade, ending));
      this.#underWay = working.catch(() => undefined); // whoever waits for its end hears of no failure
      await working;
      this.#anew = false;
      return this.#own();
    } catch (error) {
      if (error instanceof vscode.CancellationError) {
        this.log.info("the set-up was cancelled");
        return { kind: "failed", reason: l10n.t("The set-up was cancelled.") };
      }
      return this.#failed(error instanceof SetupFailure ? error : new SetupFailure("other", String(error)));
    }
  }

  #withProgress(wheel: Wheel, upgrade: boolean, ending: AbortController): Thenable<void> {
    const title = upgrade ? l10n.t("Tenon: upgrading the server") : l10n.t("Tenon: setting up");
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    return vscode.window.withProgress(options, async (progress, token) => {
      const tell = (message: string): void => {
        progress.report({ message });
        this.told(message);
      };
      token.onCancellationRequested(() => {
        ending.abort(new vscode.CancellationError());
      });
      const { signal } = ending;
      await vscode.workspace.fs.createDirectory(this.context.globalStorageUri);
      const waiting = (): void => {
        tell(l10n.t("waiting for the set-up in another window"));
      };
      await alone(`${this.#environment.root}.lock`, signal, waiting, async () => {
        const marker = await this.#environment.marker();
        if (marker?.sha256 === wheel.sha256) {
          return; // another window has done it meanwhile
        }
        const tried = candidates(process.platform, this.context.globalState.get<string>(CHOSEN_PYTHON));
        const line = (text: string): void => {
          this.log.info(`[set-up] ${text}`);
          const words = pipProgress(text);
          if (words !== undefined) {
            tell(words);
          }
        };
        const step = (name: Step): void => {
          tell(stepWords(name));
        };
        const listener = { signal, line, step };
        const made = await this.#environment.install(wheel, tried, run, listener, { anew: this.#anew });
        this.log.info(`set up: ${made.version} in ${this.#environment.root}`);
      });
    });
  }

  #failed(failure: SetupFailure): ServerCommand {
    const reason = sentence(failure);
    this.log.error(`set-up failed (${failure.kind}): ${failure.detail}`);
    const offered = new Map(remedies(failure.kind).map((remedy) => [remedyTitle(remedy), remedy]));
    const showLog = l10n.t("Show Log");
    void vscode.window.showErrorMessage(reason, ...offered.keys(), showLog).then((answer) => {
      const remedy = answer === undefined ? undefined : offered.get(answer);
      if (answer === showLog) {
        this.log.show();
      } else if (remedy !== undefined) {
        void this.#remedy(remedy);
      }
    });
    return { kind: "failed", reason };
  }

  async #remedy(remedy: Remedy): Promise<void> {
    switch (remedy) {
      case "retry":
        await vscode.commands.executeCommand("tenon.restartServer");
        return;
      case "getPython":
        await vscode.env.openExternal(vscode.Uri.parse(PYTHON_PAGE));
        return;
      case "explain":
        await vscode.commands.executeCommand("extension.open", this.context.extension.id);
        return;
      case "choosePython": {
        const [file] = (await vscode.window.showOpenDialog({ title: l10n.t("Python 3.11 or newer") })) ?? [];
        if (file !== undefined) {
          await this.context.globalState.update(CHOSEN_PYTHON, file.fsPath);
          this.#anew = true; // what is there was made with the one that did not do
          await vscode.commands.executeCommand("tenon.restartServer");
        }
      }
    }
  }
}

function stepWords(step: Step): string {
  switch (step) {
    case "python":
      return l10n.t("looking for Python");
    case "environment":
      return l10n.t("making a virtual environment");
    case "packages":
      return l10n.t("installing packages");
    case "check":
      return l10n.t("checking that it starts");
  }
}

function remedyTitle(remedy: Remedy): string {
  switch (remedy) {
    case "retry":
      return l10n.t("Try Again");
    case "choosePython":
      return l10n.t("Choose Python…");
    case "getPython":
      return l10n.t("Get Python");
    case "explain":
      return l10n.t("Prebuilt Wheels");
  }
}

async function isFile(file: string): Promise<boolean> {
  try {
    return ((await vscode.workspace.fs.stat(vscode.Uri.file(file))).type & vscode.FileType.File) !== 0;
  } catch {
    return false;
  }
}
