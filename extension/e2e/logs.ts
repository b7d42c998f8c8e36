/** What the extension and its server wrote: the output channels' files of a workbench. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Scratch } from "./scratch.ts";

/** The engine answered, an earlier answer went on, or one that was under way. */
export const SUGGESTED = /^(shown|cache|joined)$/;

/** Every line of the extension's output channels so far, oldest file first. */
export function lines(scratch: Scratch): string[] {
  return channels(scratch).flatMap((path) => readFileSync(path, "utf8").split("\n")).filter((line) => line !== "");
}

/** The last lines of everything that may tell why a test failed, without those of every key. */
export function tail(scratch: Scratch, count = 40): string {
  const host = written(scratch, /remoteexthost\.log$/); // which extensions were activated, and when
  const files = [scratch.serverLog, ...host, ...channels(scratch), join(scratch.tenonHome, "logs", "engine.log")];
  return files
    .filter((path) => existsSync(path))
    .map((path) => `--- ${path.slice(scratch.root.length + 1)}\n${telling(path).slice(-count).join("\n")}`)
    .join("\n");
}

/** How the server says that each request so far ended: the reason's code, and milliseconds. */
export function outcomes(scratch: Scratch): { reason: string; ms: number }[] {
  return lines(scratch).flatMap((line) => {
    const found = /\b([a-z_]+) in (\d+(?:\.\d+)?) ms\b/.exec(line);
    return found ? [{ reason: found[1] ?? "", ms: Number(found[2]) }] : [];
  });
}

/** Those requests that brought a suggestion, though some did not wait for an answer of their own. */
export function suggestions(scratch: Scratch): { reason: string; ms: number }[] {
  return outcomes(scratch).filter(({ reason }) => SUGGESTED.test(reason));
}

function telling(path: string): string[] {
  return readFileSync(path, "utf8").trimEnd().split("\n").filter((line) => !/\b(cancelled|superseded) in \d+ ms/.test(line));
}

function channels(scratch: Scratch): string[] {
  return written(scratch, /tenon[^]*\.log$/i);
}

/** The files under VS Code's own logs whose path fits, oldest first. */
function written(scratch: Scratch, path: RegExp): string[] {
  const folder = join(scratch.userData, "logs");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => path.test(name))
    .sort()
    .map((name) => join(folder, name));
}
