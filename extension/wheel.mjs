// Builds the wheel of tenon-lsp into wheel/, with a wheel.json beside it that says which it is.
// Takes the Python to build with: node wheel.mjs ../.venv/bin/python
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(here, "wheel");
const python = process.argv[2] ?? "python3";

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const pip = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, path.dirname(here)];
// Hatchling dates what it packs by this, so that the same sources make the same wheel.
const env = { ...process.env, SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? "1577836800" };
execFileSync(python, pip, { stdio: "inherit", env });

const [file] = readdirSync(folder).filter((name) => name.endsWith(".whl"));
const [, version] = file.split("-");
const expected = JSON.parse(readFileSync(path.join(here, "package.json"), "utf8")).version;
if (version !== expected) {
  throw new Error(`the wheel is of version ${version}, the extension of ${expected}: make them one`);
}
const sha256 = createHash("sha256").update(readFileSync(path.join(folder, file))).digest("hex");
writeFileSync(path.join(folder, "wheel.json"), `${JSON.stringify({ file, version, sha256 }, null, 2)}\n`);
