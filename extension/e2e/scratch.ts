/** The folders of one scenario: a home, a workspace and a TENON_HOME of its own, gone afterwards. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TENON } from "./places.ts";
import { until } from "./waiting.ts";

const CALM = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Dark Modern",
  "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "editor.quickSuggestions": false,
  "editor.suggestOnTriggerCharacters": false,
  "editor.autoClosingBrackets": "never",
  "editor.autoIndent": "none",
  "editor.fontFamily": "'JetBrains Mono', 'DejaVu Sans Mono', monospace",
  "editor.fontLigatures": false,
  "editor.occurrencesHighlight": "off",
  "editor.minimap.enabled": false,
  "editor.cursorBlinking": "solid",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "files.autoSave": "off",
  "git.openRepositoryInParentFolders": "never",
  "security.workspace.trust.banner": "untilDismissed",
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
};

export interface ScratchOptions {
  /** Where the .vsix is installed; shared by scenarios, none of which writes there. */
  extensions?: string;
  /** A TENON_HOME to begin with a copy of; empty otherwise. */
  home?: string;
  /** Name of the workspace's folder, which the window shows. */
  folder?: string;
}

export class Scratch {
  readonly name: string;
  readonly root: string;
  readonly userData: string;
  readonly extensions: string;
  readonly tenonHome: string;
  readonly workspace: string;
  readonly serverLog: string;
  private settings: Record<string, unknown> = { ...CALM };

  constructor(name: string, options: ScratchOptions = {}) {
    this.name = name;
    this.root = mkdtempSync(join(tmpdir(), `tenon-${name}-`));
    this.userData = join(this.root, "user data");
    this.extensions = options.extensions ?? join(this.root, "extensions");
    this.tenonHome = join(this.root, "tenon home");
    this.workspace = join(this.root, options.folder ?? "shop");
    this.serverLog = join(this.root, "code-server.log");
    for (const folder of [this.userData, this.extensions, this.tenonHome, this.workspace, ...this.homes()]) {
      mkdirSync(folder, { recursive: true });
    }
    if (options.home) cpSync(options.home, this.tenonHome, { recursive: true, preserveTimestamps: true });
    this.configure({});
  }

  /** The user's settings from now on, beside those that keep a workbench calm; takes effect live. */
  configure(changed: Record<string, unknown>): void {
    this.settings = { ...this.settings, ...changed };
    // With a server, VS Code reads what belongs to a machine (scope "machine-overridable") only there.
    for (const whose of ["User", "Machine"]) {
      this.write(join(this.userData, whose, "settings.json"), JSON.stringify(this.settings, null, 2));
    }
  }

  /** Write a file of the workspace; returns its path. */
  file(name: string, text: string, mode = 0o644): string {
    return this.write(join(this.workspace, name), text, mode);
  }

  read(name: string): string {
    return readFileSync(join(this.workspace, name), "utf8");
  }

  /**
   * This machine's environment with every home replaced, but pip's cache kept: without it each
   * first start would compile llama.cpp again.
   */
  environment(): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE|VITEST|ELECTRON|NODE_OPTIONS|VIRTUAL_ENV)/.test(name));
    const [home, config, data, state, cache, temporary] = this.homes();
    return {
      ...Object.fromEntries(kept),
      HOME: home,
      XDG_CONFIG_HOME: config,
      XDG_DATA_HOME: data,
      XDG_STATE_HOME: state,
      XDG_CACHE_HOME: cache,
      TMPDIR: temporary,
      TENON_HOME: this.tenonHome,
      PIP_CACHE_DIR: process.env["PIP_CACHE_DIR"] ?? pipCache(),
    };
  }

  /** Run the project's command line in this home; returns what it printed. */
  tenon(...words: string[]): string {
    return execFileSync(TENON, words, { cwd: this.root, env: this.environment(), encoding: "utf8" });
  }

  /** The engine's process id, once one is ready. */
  engine(): number | undefined {
    try {
      return JSON.parse(readFileSync(join(this.tenonHome, "engine.json"), "utf8")).pid;
    } catch {
      return undefined;
    }
  }

  /** Process ids of `tenon COMMAND` that belong to this scratch; Linux only, as the harness is. */
  processes(command: string): number[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const mine = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TENON_HOME=${this.tenonHome}\0`);
        return mine && words.some((word) => /\btenon$/.test(word)) && words.includes(command);
      } catch {
        return false; // it has ended meanwhile
      }
    });
  }

  /** End the engine, which outlives editors on purpose, and remove everything. */
  async remove(): Promise<void> {
    const pid = this.engine();
    if (pid !== undefined && alive(pid)) {
      process.kill(pid, "SIGTERM");
      await until("the engine ends", 10_000, () => !alive(pid)).catch(() => process.kill(pid, "SIGKILL"));
    }
    if (!process.env["TENON_E2E_KEEP"]) rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  private homes(): string[] {
    const home = join(this.root, "home");
    return [home, ...["config", "data", "state", "cache", "tmp"].map((name) => join(home, name))];
  }

  private write(path: string, text: string, mode = 0o644): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
    return path;
  }
}

function pipCache(): string {
  return execFileSync("python3", ["-m", "pip", "cache", "dir"], { encoding: "utf8" }).trim();
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
