/** Where the harness finds and puts things; every path that a test may need is named here. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

export const HERE = import.meta.dirname;
export const EXTENSION = resolve(HERE, "..");
export const PROJECT = resolve(EXTENSION, "..");
/** Kept between runs: code-server, and a home that holds the starter model. */
export const CACHE = process.env["TENON_E2E_CACHE"] ?? join(PROJECT, ".cache", "vscode-e2e");
/** What a run leaves for people: screenshots, logs of what failed, `results.json`. */
export const ARTIFACTS = join(HERE, "artifacts");
export const PICTURES = join(ARTIFACTS, "pictures");
export const ENTRY = join(CACHE, "code-server-4.100.3", "node_modules", "code-server", "out", "node", "entry.js");
/** What packs an extension; it belongs to the extension's own packages. */
export const VSCE = join(EXTENSION, "node_modules", ".bin", "vsce");
/** The project's own command line, which has the packages for training. */
export const TENON = process.env["TENON_E2E_SERVER"] ?? join(PROJECT, ".venv", "bin", "tenon");

/** Chromium's path, or undefined where none is installed. */
export function browser(): string | undefined {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** The newest `.vsix` that `make vscode` made. */
export function vsix(): string {
  const given = process.env["TENON_E2E_VSIX"];
  if (given) return given;
  const found = [EXTENSION, join(EXTENSION, "dist"), join(PROJECT, "dist")]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith(".vsix")).map((name) => join(folder, name)))
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (!found[0]) throw new Error("no .vsix is there: run `make vscode` first");
  return found[0];
}
