/** Before the first scenario and after the last: the .vsix installed, a home with the starter model. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { command } from "./codeServer.ts";
import { ARTIFACTS, browser, CACHE, ENTRY, TENON, vsix } from "./places.ts";
import { Scratch } from "./scratch.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the .vsix is installed. */
    extensions: string;
    /** A TENON_HOME that holds the starter model. */
    home: string;
    /** What code-server said when it installed the .vsix. */
    installed: string;
  }
}

export default async function prepare(project: TestProject): Promise<() => Promise<void>> {
  if (!browser() || !existsSync(ENTRY)) throw new Error("run `make test-vscode`: it installs what the tests need");
  rmSync(ARTIFACTS, { recursive: true, force: true });
  const scratch = new Scratch("installation");
  project.provide("installed", await command(scratch, "--install-extension", vsix()));
  project.provide("extensions", scratch.extensions);
  project.provide("home", prepareHome());
  return async () => await scratch.remove();
}

function prepareHome(): string {
  const home = join(CACHE, "home");
  mkdirSync(home, { recursive: true });
  execFileSync(TENON, ["models", "pull", "tenon-starter"], { env: { ...process.env, TENON_HOME: home }, stdio: "pipe" });
  return home;
}
