/** The language server's life: started, watched, restarted one at a time; how to reach it. */

import { mkdir } from "node:fs/promises";
import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import {
  CloseAction,
  DidChangeConfigurationNotification,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  TransportKind,
  type Middleware,
  type ServerOptions,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Connection } from "./connection";
import { Crashes } from "./crashes";
import { LastWords } from "./lastWords";
import { Latest } from "./latest";
import { SHOWS_TRAINER, STATUS_DID_CHANGE, type Status } from "./protocol";
import { wireSettings } from "./settings";
import type { Installation, ServerCommand } from "./setup";

const STOP_MS = 3000;
/** What comes through a pipe after its process ended is waited for; and nobody restarts in a frenzy. */
const AFTER_DEATH_MS = 500;
const SELECTOR = ["file", "untitled", "vscode-notebook-cell"].map((scheme) => ({ scheme }));

/** What the server's life tells; a status comes after every change. */
export interface Listener {
  readonly starting: () => void;
  readonly failed: (reason: string) => void;
  readonly status: (status: Status) => void;
}

/** How a server is started. */
type Start = ServerCommand & { readonly kind: "command" };

/** One server at most; the installation says how to start it, and may set it up first. */
export class Server implements Connection, vscode.Disposable {
  #client: LanguageClient | undefined;
  /** Counts the starts and the wishes for one: what belongs to an earlier one has nothing to say any more. */
  #generation = 0;
  #stopped = false;
  readonly #crashes = new Crashes();
  readonly #restarting = new Latest(() => this.#startAnew());

  constructor(
    private readonly installation: Pick<Installation, "command" | "abandon">,
    private readonly middleware: Middleware,
    private readonly log: vscode.LogOutputChannel,
    private readonly workingFolder: string,
    private readonly listener: Listener,
  ) {}

  /** Start, or end what runs, be it a set-up, and start again; never rejects. */
  restart(): Promise<void> {
    this.#generation += 1;
    this.#crashes.forget();
    this.installation.abandon();
    return this.#restarting.request();
  }

  /** End what runs, for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#generation += 1;
    await this.#stopClient();
  }

  async #stopClient(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    try {
      await client?.dispose(STOP_MS);
    } catch (error) {
      this.log.debug(`the server did not end as it should: ${String(error)}`);
    }
  }

  dispose(): void {
    void this.stop();
  }

  /** Send the settings as they are now; without a server nothing happens. Never rejects. */
  async settingsChanged(): Promise<void> {
    if (this.#client?.isRunning() !== true) {
      return;
    }
    try {
      await this.#client.sendNotification(DidChangeConfigurationNotification.type, { settings: { tenon: settings() } });
    } catch (error) {
      this.log.debug(`the server is gone, and its successor gets the settings: ${String(error)}`);
    }
  }

  async request<T>(method: string, params: unknown = {}): Promise<T> {
    return await this.#running().sendRequest<T>(method, params);
  }

  async notify(method: string, params: unknown): Promise<void> {
    await this.#running().sendNotification(method, params);
  }

  async execute<T>(command: string, ...args: unknown[]): Promise<T> {
    const params = { command, arguments: args };
    return (await this.#running().sendRequest(ExecuteCommandRequest.type, params)) as T;
  }

  #running(): LanguageClient {
    if (this.#client?.isRunning() !== true) {
      throw new Error(l10n.t("Tenon's server does not run; the status bar says why."));
    }
    return this.#client;
  }

  async #startAnew(): Promise<void> {
    const generation = (this.#generation += 1);
    try {
      await this.#stopClient();
      if (this.#stopped) {
        return;
      }
      this.listener.starting();
      await mkdir(this.workingFolder, { recursive: true });
      const command = await this.installation.command();
      if (generation !== this.#generation) {
        return; // a set-up may have taken minutes
      }
      if (command.kind === "failed") {
        this.listener.failed(command.reason);
        return;
      }
      this.log.info(`starting ${command.command} serve --stdio`);
      await this.#run(command, generation);
    } catch (error) {
      if (generation === this.#generation) {
        this.#end(l10n.t("Tenon's server could not be started: {0}", String(error)));
      }
    }
  }

  async #run(start: Start, generation: number): Promise<void> {
    const lastWords = new LastWords();
    const client = new QuietClient("tenon", "Tenon", this.#howToStart(start), {
      documentSelector: SELECTOR,
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: settings(),
      initializationFailedHandler: () => false,
      middleware: this.middleware,
      // The log has what the server tells over the protocol; its standard error says the same again.
      stdioOptions: {
        stdout: () => undefined, // the protocol's
        stderr: (stream) => {
          lastWords.listen(stream);
        },
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          void this.#died(client, lastWords, generation);
          return { action: CloseAction.DoNotRestart, handled: true, message: "the server has ended" };
        },
      },
    });
    this.#client = client;
    client.registerFeature(SHOWING_TRAINER);
    client.onNotification(STATUS_DID_CHANGE, (status: Status) => {
      if (this.#client === client) {
        this.listener.status(status);
      }
    });
    try {
      await client.start();
    } catch (error) {
      this.log.debug(`the server did not start: ${String(error)}`);
      await this.#died(client, lastWords, generation, error);
    }
  }

  #howToStart({ command, env }: Start): ServerOptions {
    // Not in the workspace: whatever lies there must not be taken for a part of the server.
    const options = { cwd: this.workingFolder, env };
    return { command, args: ["serve"], transport: TransportKind.stdio, options };
  }

  /** A server ended by itself, or did not come up: start another, unless that goes on and on. */
  async #died(client: LanguageClient, lastWords: LastWords, generation: number, error?: unknown): Promise<void> {
    if (this.#client !== client) {
      return; // it was told to end, or this has been heard already
    }
    this.#client = undefined;
    this.listener.starting();
    await new Promise((resolve) => setTimeout(resolve, AFTER_DEATH_MS));
    lastWords.all.forEach((line) => {
      this.log.error(`[server] ${line}`);
    });
    if (generation !== this.#generation) {
      return; // somebody asked for another one meanwhile
    }
    const why = lastWords.last ?? (error instanceof Error ? error.message : "");
    if (isNoProgram(error)) {
      this.#end(l10n.t("Tenon's server could not be started: {0}", why));
    } else if (this.#crashes.mayRestart(Date.now())) {
      this.log.warn("the server ended unexpectedly; it is started again");
      void this.#restarting.request();
    } else {
      this.#end(l10n.t("Tenon's server keeps ending. Its last word: {0}", why));
    }
  }

  #end(reason: string): void {
    this.log.error(reason);
    this.listener.failed(reason);
    const [again, showLog] = [l10n.t("Restart Server"), l10n.t("Show Log")];
    void vscode.window.showErrorMessage(reason, again, showLog).then((answer) => {
      if (answer === again) {
        void this.restart();
      } else if (answer === showLog) {
        this.log.show();
      }
    });
  }
}

/** Its own complaints go to the log: what a user has to know is said once, and with a way out. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** The operating system could not start it, so the next attempt would end the same. */
function isNoProgram(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOENT", "EACCES", "ENOEXEC"].includes(String(error.code));
}

/** Says that the status bar shows runs, so that the server does not show them as well. */
const SHOWING_TRAINER: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), [SHOWS_TRAINER]: true };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** The settings of this window, as the server gets them. */
export function settings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("tenon");
  return wireSettings((name) => configuration.get(name), vscode.workspace.isTrusted);
}
