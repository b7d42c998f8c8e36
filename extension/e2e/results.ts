/** The figures that a run measured, gathered in one file beside its screenshots. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARTIFACTS } from "./places.ts";

const FILE = join(ARTIFACTS, "results.json");

/** Add figures under their names, which say the unit; print them as well. */
export function record(figures: Record<string, number>): void {
  mkdirSync(ARTIFACTS, { recursive: true });
  const known: Record<string, number> = existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {};
  writeFileSync(FILE, `${JSON.stringify({ ...known, ...figures }, null, 2)}\n`);
  for (const [name, value] of Object.entries(figures)) console.log(`measured ${name}: ${value}`);
}

export function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
