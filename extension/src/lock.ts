/** One window at a time: a file that holds the process id of whoever sets things up. */

import * as fs from "node:fs/promises";
import { uptime } from "node:os";

const POLL_MS = 500;

/**
 * Do `work` while no other process does; waits for one that does, and takes over from one that died.
 * `waiting` is called once if there is one.
 */
export async function alone<T>(
  file: string,
  signal: AbortSignal,
  waiting: () => void,
  work: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!(await taken(file))) {
    if (!told) {
      told = true;
      waiting();
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    signal.throwIfAborted();
  }
  try {
    return await work();
  } finally {
    await fs.rm(file, { force: true });
  }
}

async function taken(file: string): Promise<boolean> {
  try {
    await fs.writeFile(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
      throw error;
    }
  }
  const content = await fs.readFile(file, "utf8").catch(() => "");
  const written = (await fs.stat(file).catch(() => undefined))?.mtimeMs ?? Date.now();
  if (isStale(content, written)) {
    await remove(file, content);
  }
  return false;
}

/** Its holder has died, or the machine was started anew since, and another process has its id. */
function isStale(content: string, written: number): boolean {
  if (written < Date.now() - 1000 * uptime()) {
    return true;
  }
  // Empty: it is just being written, or its writer died between two system calls.
  return content === "" ? Date.now() - written > 10_000 : !isAlive(Number(content));
}

/** Remove the file that was read, and not one that another process made since. */
async function remove(file: string, content: string): Promise<void> {
  const stale = `${file}.${process.pid}`;
  try {
    await fs.rename(file, stale);
    if ((await fs.readFile(stale, "utf8")) !== content) {
      await fs.link(stale, file);
    }
  } catch {
    // Somebody else was quicker, which is as well.
  }
  await fs.rm(stale, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
