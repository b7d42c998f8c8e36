/**
 * `npm run pictures`: what the last run photographed for the documentation goes into docs/pictures, and what the
 * walkthrough shows beside its texts.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const from = join(import.meta.dirname, "artifacts", "pictures");
const to = resolve(import.meta.dirname, "..", "..", "docs", "pictures");
if (!existsSync(from)) throw new Error("no pictures are there: run `make test-vscode` first");
mkdirSync(to, { recursive: true });
const walkthrough = resolve(import.meta.dirname, "..", "media", "walkthrough");
const SHOWN = ["setting-up.png", "ghost-text.png", "adapters.png", "why.png"];
for (const name of readdirSync(from)) {
  copyFileSync(join(from, name), join(to, name));
  if (SHOWN.includes(name)) copyFileSync(join(from, name), join(walkthrough, name));
  console.log(`docs/pictures/${name}`);
}
