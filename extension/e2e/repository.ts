/** A small git repository to learn: this project's own files, the newer ones in commits of their own. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PROJECT, TENON } from "./places.ts";
import type { Scratch } from "./scratch.ts";

const COMMITS = [
  ["prompt/assemble.py", "prompt/formats.py", "prompt/healing.py", "prompt/identifiers.py", "prompt/passages.py"],
  ["prompt/query.py", "prompt/snippets.py", "completion/budget.py", "completion/engine.py", "completion/extent.py"],
  ["completion/trigger.py"],
  ["completion/tokens.py"],
  ["completion/reasons.py"],
  ["completion/cache.py"],
  ["completion/postprocess.py"],
  ["prompt/window.py"],
];

/** Lay it out in the scratch's workspace; a run there may take so many seconds for each half. */
export function repository(scratch: Scratch, seconds: { training: number; gate: number }): void {
  scratch.file("tenon.toml", `[training]\ntime_budget = ${seconds.training}\ngate_seconds = ${seconds.gate}\n`);
  git(scratch, "init", "--quiet", "--initial-branch", "main");
  for (const [day, files] of COMMITS.entries()) {
    for (const name of files) scratch.file(name, readFileSync(join(PROJECT, "lsp_server", name), "utf8"));
    git(scratch, "add", "--all");
    const date = `@${1_760_000_000 + 86_400 * day} +0000`;
    git(scratch, "commit", "--quiet", "--message", `Add ${files.join(", ")}`, "--date", date);
  }
}

/** Why nothing can be learnt here, or an empty string. */
export function untrainable(): string {
  try {
    execFileSync(join(dirname(TENON), "python"), ["-c", "import torch, peft, datasketch, tree_sitter"], { stdio: "pipe" });
    return "";
  } catch {
    return "the packages for training are not installed: run `make train-setup`";
  }
}

/** Put two adapters over the starter into the scratch's home: real LoRAs, which learnt nothing. */
export function adapters(scratch: Scratch): string[] {
  const python = join(dirname(TENON), "python");
  const words = ["-m", "extension.e2e.adapters", scratch.tenonHome, scratch.workspace];
  return execFileSync(python, words, { cwd: PROJECT, encoding: "utf8" }).trim().split("\n");
}

function git(scratch: Scratch, ...words: string[]): void {
  const who = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  execFileSync("git", [...who, ...words], { cwd: scratch.workspace, env: scratch.environment(), stdio: "pipe" });
}
