/** `npm run pictures`: what the last run photographed for the documentation goes into docs/pictures. */

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const from = join(import.meta.dirname, "artifacts", "pictures");
const to = resolve(import.meta.dirname, "..", "..", "docs", "pictures");
if (!existsSync(from)) throw new Error("no pictures are there: run `make test-vscode` first");
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  copyFileSync(join(from, name), join(to, name));
  console.log(`docs/pictures/${name}`);
}
