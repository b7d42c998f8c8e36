import * as fs from "node:fs/promises";
import * as path from "node:path";
import { expect, test } from "vitest";

const ROOT = path.dirname(import.meta.dirname);

test("the strings that are to be translated are those that the sources have", async () => {
  const bundle = JSON.parse(await fs.readFile(path.join(ROOT, "l10n", "bundle.l10n.json"), "utf8")) as object;
  const found = new Set<string>();
  for (const file of await fs.readdir(path.join(ROOT, "src"))) {
    const text = await fs.readFile(path.join(ROOT, "src", file), "utf8");
    for (const [call, literal] of text.matchAll(/\bl10n\.t\(\s*("(?:[^"\\]|\\.)*")?/g)) {
      expect(literal, `${file}: ${call} must begin with the string itself`).toBeDefined();
      found.add(JSON.parse(literal ?? "") as string);
    }
  }
  // `npm run l10n` writes the bundle.
  expect([...found].sort()).toEqual(Object.keys(bundle).sort());
});
