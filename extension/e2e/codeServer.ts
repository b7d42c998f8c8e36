/** One code-server: its start, its readiness and its end; it knows nothing of a browser. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { ENTRY, VSCE } from "./places.ts";
import type { Scratch } from "./scratch.ts";
import { until } from "./waiting.ts";

const run = promisify(execFile);
const QUIET = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];

export interface ServerOptions {
  /** Whether the workbench trusts every folder without asking, as most tests want. */
  trusted: boolean;
}

export class CodeServer {
  readonly origin: string;
  private readonly process: ChildProcess;

  private constructor(process: ChildProcess, origin: string) {
    this.process = process;
    this.origin = origin;
  }

  /** Start one in the folders of `scratch`, and wait until it answers. */
  static async start(scratch: Scratch, options: ServerOptions): Promise<CodeServer> {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const trust = options.trusted ? ["--disable-workspace-trust"] : [];
    // A group of its own: the extension host and the servers that it starts end with it.
    const process = spawn(
      globalThis.process.execPath,
      [ENTRY, ...folders(scratch), "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, ...QUIET, ...trust],
      { cwd: scratch.root, env: scratch.environment(), detached: true, stdio: ["ignore", "pipe", "pipe"] },
    );
    const log = createWriteStream(scratch.serverLog, { flags: "a" });
    process.stdout?.pipe(log);
    process.stderr?.pipe(log);
    const server = new CodeServer(process, origin);
    try {
      await until(`code-server answers at ${origin}; see ${scratch.serverLog}`, 60_000, async () => {
        if (process.exitCode !== null) {
          throw new Error(`code-server ended with ${process.exitCode}: see ${scratch.serverLog}`);
        }
        return await fetch(`${origin}/healthz`).then((answer) => answer.ok, () => false);
      });
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** End the whole group: politely first, then for certain. */
  async stop(): Promise<void> {
    const group = -(this.process.pid ?? 0);
    if (group === 0) return;
    for (const [signal, patience] of [["SIGTERM", 5_000], ["SIGKILL", 5_000]] as const) {
      if (!signalled(group, signal)) return;
      const gone = until("the group ends", patience, async () => !signalled(group, 0));
      if (await gone.then(() => true, () => false)) return;
    }
  }
}

/** Run code-server as a command, such as `--install-extension FILE`; returns what it printed. */
export async function command(scratch: Scratch, ...words: string[]): Promise<string> {
  const { stdout, stderr } = await run(
    process.execPath,
    [ENTRY, ...folders(scratch), ...words],
    { cwd: scratch.root, env: scratch.environment(), timeout: 120_000 },
  );
  return stdout + stderr;
}

/** Pack the extension in `folder`, and install it as a user would. */
export async function install(scratch: Scratch, folder: string): Promise<void> {
  const file = join(scratch.root, "packed.vsix");
  await run(VSCE, ["package", "--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", file], {
    cwd: folder,
    timeout: 60_000,
  });
  await command(scratch, "--install-extension", file);
}

function folders(scratch: Scratch): string[] {
  return ["--user-data-dir", scratch.userData, "--extensions-dir", scratch.extensions];
}

function signalled(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(group, signal);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
