/** The status bar item and the language status item, from one phase. */

import * as l10n from "@vscode/l10n";
import * as vscode from "vscode";
import type { Status } from "./protocol";
import { stringsOf } from "./settings";
import { statusView, type Phase, type Severity, type StatusView } from "./statusView";
import { trainerActions } from "./trainerActions";

const SEVERITIES: Readonly<Record<Severity, vscode.LanguageStatusSeverity>> = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};
const BACKGROUNDS: Readonly<Record<Severity, vscode.ThemeColor | undefined>> = {
  information: undefined,
  warning: new vscode.ThemeColor("statusBarItem.warningBackground"),
  error: new vscode.ThemeColor("statusBarItem.errorBackground"),
};

/** Holds what is known, shows it, and sets the context keys that commands are enabled by. */
export class StatusItems implements vscode.Disposable {
  readonly #bar = vscode.window.createStatusBarItem("tenon.status", vscode.StatusBarAlignment.Right, 100);
  readonly #language = vscode.languages.createLanguageStatusItem("tenon.language", [{ scheme: "file" }, { scheme: "untitled" }]);
  readonly #entered = new vscode.EventEmitter<Phase>();
  readonly #context = new Map<string, unknown>();
  readonly #listeners: vscode.Disposable[];
  #phase: Phase = { kind: "starting" };
  #thinking = false;
  #download: number | undefined;

  constructor() {
    this.#bar.name = "Tenon";
    this.#language.name = "Tenon";
    this.#bar.command = "tenon.showMenu";
    this.#language.command = { command: "tenon.showMenu", title: l10n.t("Actions") };
    this.#listeners = [
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#show();
      }),
    ];
    this.#show();
    this.#bar.show();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What the phase means, in a sentence or two. */
  get detail(): string {
    return this.#view().detail;
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#setContext(phase);
    this.#show();
    this.#entered.fire(phase);
  }

  /** Resolves once a status fits, and in any case after `milliseconds`. */
  until(fits: (status: Status) => boolean, milliseconds: number): Promise<void> {
    if (this.#phase.kind === "running" && fits(this.#phase.status)) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        listener.dispose();
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      const listener = this.#entered.event((phase) => {
        if (phase.kind === "running" && fits(phase.status)) {
          done();
        }
      });
    });
  }

  /** A request takes long enough to be noticed, or none does any more. */
  set thinking(thinking: boolean) {
    this.#thinking = thinking;
    this.#show();
  }

  /** The part of a download that has arrived, 0 to 1; undefined: none is on its way. */
  set download(part: number | undefined) {
    this.#download = part;
    this.#show();
  }

  /** Settings may have changed what is to be shown. */
  refresh(): void {
    this.#setContext(this.#phase);
    this.#show();
  }

  /** A context key, unless it has that value already. */
  setContext(key: string, value: unknown): void {
    if (this.#context.get(key) !== value) {
      this.#context.set(key, value);
      void vscode.commands.executeCommand("setContext", key, value);
    }
  }

  dispose(): void {
    this.#listeners.forEach((listener) => {
      listener.dispose();
    });
    this.#entered.dispose();
    this.#bar.dispose();
    this.#language.dispose();
  }

  #show(): void {
    const view = this.#view();
    this.#showInBar(view);
    this.#language.text = `$(${view.icon}) ${view.text}`;
    this.#language.detail = view.detail;
    this.#language.severity = SEVERITIES[view.severity];
    this.#language.busy = view.busy;
    this.#language.accessibilityInformation = { label: view.label, role: "status" };
  }

  #view(): StatusView {
    const languageIsOff = languageOff();
    return statusView(this.#phase, { thinking: this.#thinking, download: this.#download, languageOff: languageIsOff });
  }

  #showInBar(view: StatusView): void {
    this.#bar.text = `$(${view.icon}) Tenon: ${view.text}`;
    const tooltip = new vscode.MarkdownString("", true);
    tooltip.appendMarkdown("**Tenon**\n\n").appendText(view.detail);
    this.#bar.tooltip = tooltip;
    this.#bar.backgroundColor = BACKGROUNDS[view.severity];
    this.#bar.accessibilityInformation = { label: view.label, role: "button" };
  }

  #setContext(phase: Phase): void {
    const status = phase.kind === "running" ? phase.status : undefined;
    this.setContext("tenon.running", status !== undefined);
    if (status?.state === "ready") {
      this.setContext("tenon.ready", true); // stays: a walkthrough's step is done once
    }
    if (status?.adapter) {
      this.setContext("tenon.hasAdapter", true);
    }
    for (const [name, value] of Object.entries(trainerActions(status?.trainer, trainsOnCommand()))) {
      this.setContext(`tenon.${name}`, value);
    }
  }
}

/** Whether this window's settings have training begin on command only. */
export function trainsOnCommand(): boolean {
  return vscode.workspace.getConfiguration("tenon").get("training") === "manual";
}

/** The current document's language, if completions are off in it. */
export function languageOff(): string | undefined {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const disabled = stringsOf(vscode.workspace.getConfiguration("tenon").get("disabledLanguages"));
  return language !== undefined && disabled.includes(language) ? language : undefined;
}
