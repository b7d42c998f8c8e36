/** One window at a time: a file that holds the process id of whoever sets things up, who touches it now and then. */

import * as fs from "node:fs/promises";
import { uptime } from "node:os";

/** Milliseconds between two looks and between two touches; so many looks without a touch, and its holder is gone. */
export interface Pace {
  readonly look: number;
  readonly touch: number;
  readonly looks: number;
}

// Looks are counted, not seconds: a machine that slept would wake up to a holder who seems to be gone.
const PACE: Pace = { look: 500, touch: 5_000, looks: 60 };

/** The file as it was found, and how often in a row it was found so. */
interface Held {
  readonly content: string;
  readonly written: number;
  readonly looks: number;
}

/**
 * Do `work` while no other process does; waits for one that does, and takes over from one that died.
 * `waiting` is called once if there is one.
 */
export async function alone<T>(
  file: string,
  signal: AbortSignal,
  waiting: () => void,
  work: () => Promise<T>,
  pace = PACE,
): Promise<T> {
  signal.throwIfAborted();
  let told = false;
  for (let held = await take(file); held !== undefined; held = await take(file, held)) {
    if (!told) {
      told = true;
      waiting();
    }
    if (isStale(held, pace.looks)) {
      await remove(file, held.content);
    }
    await new Promise((resolve) => setTimeout(resolve, pace.look));
    signal.throwIfAborted();
  }
  const touching = setInterval(() => {
    // A file that is gone was taken for a dead one's; to make it again would take it from another.
    fs.utimes(file, new Date(), new Date()).catch(() => undefined);
  }, pace.touch);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    if ((await read(file)) === String(process.pid)) {
      await fs.rm(file, { force: true });
    }
  }
}

/** Make the file, which is ours then (undefined); or else what stands in the way, `before` at the last look. */
async function take(file: string, before?: Held): Promise<Held | undefined> {
  try {
    await fs.writeFile(file, String(process.pid), { flag: "wx" });
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
      throw error;
    }
  }
  const content = await read(file);
  const written = (await fs.stat(file).catch(() => undefined))?.mtimeMs ?? Date.now();
  const isAsBefore = before?.content === content && before.written === written;
  return { content, written, looks: isAsBefore ? before.looks + 1 : 0 };
}

/**
 * Its holder has died, or the machine was started anew since, and another process has its id. Or that
 * happened without a new start: then nobody touches the file.
 */
function isStale({ content, written, looks }: Held, mostLooks: number): boolean {
  if (written < Date.now() - 1000 * uptime() || looks >= mostLooks) {
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

/** What the file holds; empty if there is none. */
function read(file: string): Promise<string> {
  return fs.readFile(file, "utf8").catch(() => "");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
