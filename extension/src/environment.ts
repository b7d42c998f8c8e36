/** The virtual environment in the extension's storage: what it holds, and how it is made; no VS Code. */

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { failureOf, SetupFailure } from "./failures";
import { findPython, type Candidate } from "./python";
import type { Ended, Run, RunOptions } from "./processes";
import type { Marker, Wheel } from "./resolution";

export type Step = "python" | "environment" | "packages" | "check";

/** Who wants to hear how far a set-up is, and may end it. */
export interface Listener {
  readonly step: (step: Step) => void;
  readonly line: (line: string) => void;
  readonly signal: AbortSignal;
}

/** An environment at `root`; nothing is touched before {@link install}. */
export class Environment {
  readonly python: string;
  readonly tenon: string;
  readonly #markerFile: string;

  constructor(
    readonly root: string,
    platform: NodeJS.Platform = process.platform,
  ) {
    const scripts = path.join(root, platform === "win32" ? "Scripts" : "bin");
    const suffix = platform === "win32" ? ".exe" : "";
    this.python = path.join(scripts, `python${suffix}`);
    this.tenon = path.join(scripts, `tenon${suffix}`);
    this.#markerFile = path.join(root, "tenon-setup.json");
  }

  /** What was set up; undefined if nothing was, or not to its end. */
  async marker(): Promise<Marker | undefined> {
    try {
      const marker: unknown = JSON.parse(await fs.readFile(this.#markerFile, "utf8"));
      await fs.access(this.tenon);
      return isMarker(marker) ? marker : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Make the environment, or mend or upgrade it in place: what only training needs stays. The
   * marker goes first and comes back last, so one that was ended half way is done again. With `anew`
   * what is there is not mended: the user wants it made with another Python.
   *
   * Rejects with SetupFailure, or with the signal's reason.
   */
  async install(
    wheel: Wheel,
    tried: readonly Candidate[],
    run: Run,
    listener: Listener,
    { anew = false } = {},
  ): Promise<Marker> {
    const { signal } = listener;
    await fs.mkdir(path.dirname(this.root), { recursive: true });
    await fs.rm(this.#markerFile, { force: true });
    const options = { cwd: path.dirname(this.root), env: quiet(process.env), signal, onLine: listener.line };
    const existed = !anew && (await this.#works(run, options));
    if (!existed) {
      await this.#make(tried, run, options, listener);
    }
    listener.step("packages");
    const pip = ["-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"];
    await must(run(this.python, [...pip, wheel.file], options));
    if (existed) {
      // pip leaves another build of the same version alone unless it is told.
      await must(run(this.python, [...pip, "--no-deps", "--force-reinstall", wheel.file], options));
    }
    listener.step("check");
    const { lines } = await must(run(this.tenon, ["--version"], options));
    const marker: Marker = { version: wheel.version, sha256: wheel.sha256, python: lines.at(-1) ?? "" };
    const partial = `${this.#markerFile}.partial`;
    await fs.writeFile(partial, JSON.stringify(marker));
    await fs.rename(partial, this.#markerFile);
    return marker;
  }

  /** With the first Python that can: Debian packs what makes environments apart, for each of its Pythons. */
  async #make(
    tried: readonly Candidate[],
    run: Run,
    options: RunOptions & { cwd: string },
    listener: Listener,
  ): Promise<void> {
    let unable: SetupFailure | undefined;
    for (let left = tried; ; ) {
      listener.step("python");
      const { python, tooOld, untried } = await findPython(left, run, options);
      if (python === undefined) {
        const old = tooOld.map((one) => `${one.version}, ${one.executable}`).join("; ");
        throw unable ?? new SetupFailure(old === "" ? "pythonMissing" : "pythonTooOld", old);
      }
      listener.step("environment");
      try {
        await must(run(python.executable, ["-I", "-m", "venv", "--clear", this.root], options));
        return;
      } catch (error) {
        if (!(error instanceof SetupFailure && error.kind === "noVenv")) {
          throw error;
        }
        unable ??= error;
        left = untried;
      }
    }
  }

  /** Whether there is an environment whose Python still runs: it may have been uninstalled. */
  async #works(run: Run, options: { signal: AbortSignal }): Promise<boolean> {
    try {
      const ended = await run(this.python, ["-I", "-m", "pip", "--version"], options);
      return ended.status === 0;
    } catch {
      options.signal.throwIfAborted();
      return false;
    }
  }
}

/** The wheel in a folder, by the `wheel.json` that packaging wrote beside it; undefined without. */
export async function bundledWheel(folder: string): Promise<Wheel | undefined> {
  try {
    const wheel: unknown = JSON.parse(await fs.readFile(path.join(folder, "wheel.json"), "utf8"));
    return isWheel(wheel) ? { ...wheel, file: path.join(folder, path.basename(wheel.file)) } : undefined;
  } catch {
    return undefined;
  }
}

async function must(running: Promise<Ended>): Promise<Ended> {
  let ended: Ended;
  try {
    ended = await running;
  } catch (error) {
    if (isSystemError(error)) {
      throw new SetupFailure("other", error.message);
    }
    throw error;
  }
  if (ended.status !== 0) {
    throw failureOf(ended.lines);
  }
  return ended;
}

/** What would lead Python or pip away from the environment; pip's other settings are the user's. */
const ASTRAY = ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"];

/** An environment's variables without these, for what runs in the virtual environment. */
export function quiet(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !ASTRAY.includes(name));
  return { ...Object.fromEntries(kept), PIP_DISABLE_PIP_VERSION_CHECK: "1", PYTHONUTF8: "1", PYTHONUNBUFFERED: "1" };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error;
}

function isMarker(value: unknown): value is Marker {
  return hasStrings(value, "version", "sha256", "python");
}

function isWheel(value: unknown): value is Wheel {
  return hasStrings(value, "file", "version", "sha256");
}

function hasStrings(value: unknown, ...names: string[]): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    names.every((name) => typeof (value as Record<string, unknown>)[name] === "string")
  );
}
