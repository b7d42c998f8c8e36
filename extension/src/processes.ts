/** Runs a child process to its end, line by line, and ends its whole tree if told to. */

import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

export interface Ended {
  /** null: ended by a signal. */
  readonly status: number | null;
  /** The last lines of both streams, oldest first. */
  readonly lines: readonly string[];
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** How a command is run; tests of what is made of it bring their own. */
export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<Ended>;

const KEPT_LINES = 400;
/** What a process gets to end by itself after it was told to; a window that closes waits for it. */
const GRACE_MS = 2_000;

/**
 * Rejects with the system's error if the command cannot be started (`code` ENOENT: there is none),
 * and with the signal's reason if it was aborted.
 */
export const run: Run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { cwd, env, signal, onLine } = options;
    if (signal?.aborted === true) {
      reject(reasonOf(signal));
      return;
    }
    // A group of its own, so that a compiler that pip started ends with it.
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    const lines: string[] = [];
    const note = (line: string): void => {
      lines.push(line);
      if (lines.length > KEPT_LINES) {
        lines.shift();
      }
      onLine?.(line);
    };
    createInterface({ input: child.stdout }).on("line", note);
    createInterface({ input: child.stderr }).on("line", note);
    let insisting: NodeJS.Timeout | undefined;
    const abort = (): void => {
      endTree(child, "SIGTERM");
      insisting = setTimeout(() => {
        endTree(child, "SIGKILL");
      }, GRACE_MS);
    };
    const over = (): void => {
      clearTimeout(insisting);
      signal?.removeEventListener("abort", abort);
    };
    signal?.addEventListener("abort", abort, { once: true });
    child.once("error", (error) => {
      over();
      reject(error);
    });
    child.once("close", (status) => {
      over();
      if (signal?.aborted === true) {
        reject(reasonOf(signal));
      } else {
        resolve({ status, lines });
      }
    });
  });

/** End a process and all that it started. */
function endTree(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) {
    return;
  }
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(child.pid), "/t", "/f"], { windowsHide: true });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("aborted");
}
