/** What became of suggestions, as the server keeps it: its SQLite store, read with Python's module. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Scratch } from "./scratch.ts";

const QUERY = `
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT kind, characters, inferred FROM events ORDER BY rowid")
print(json.dumps([dict(zip(("kind", "characters", "inferred"), row)) for row in rows]))
`;

export interface KeptEvent {
  kind: string;
  characters: number;
  inferred: number;
}

/** Every event so far, oldest first; none before the first. */
export function events(scratch: Scratch): KeptEvent[] {
  const file = join(scratch.tenonHome, "feedback.sqlite");
  return existsSync(file) ? JSON.parse(execFileSync("python3", ["-c", QUERY, file], { encoding: "utf8" })) : [];
}
