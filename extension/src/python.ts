/** Finds a Python on this machine that is new enough; knows nothing of VS Code. */

import type { Run } from "./processes";

export const OLDEST: readonly [number, number] = [3, 11];

/** A way to start Python. */
export interface Candidate {
  readonly command: string;
  readonly args: readonly string[];
}

export interface Python extends Candidate {
  readonly version: string;
  /** The interpreter itself, where a candidate may be a launcher or a shim. */
  readonly executable: string;
}

/** What was found; `tooOld` are those that could be started and do not suffice, `untried` come after it. */
export interface Search {
  readonly python: Python | undefined;
  readonly tooOld: readonly Python[];
  readonly untried: readonly Candidate[];
}

const QUESTION = "import sys; print('tenon', '%d.%d.%d' % sys.version_info[:3], sys.executable)";

/**
 * What is tried, in this order: the one that the user chose; releases for which packages are mostly
 * built, the newest first; whatever goes by the plain name; on Windows, the launcher before all these.
 */
export function candidates(platform: NodeJS.Platform, chosen?: string): Candidate[] {
  const plain = (command: string, ...args: string[]): Candidate => ({ command, args });
  const named = ["python3.13", "python3.12", "python3.11", "python3", "python"];
  const found =
    platform === "win32"
      ? [plain("py", "-3.13"), plain("py", "-3.12"), plain("py", "-3.11"), plain("py", "-3"), plain("python")]
      : named.map((command) => plain(command));
  return chosen === undefined || chosen === "" ? found : [plain(chosen), ...found];
}

/** Version and path out of what Python printed; undefined if it was no Python that spoke. */
export function parseAnswer(lines: readonly string[]): { version: string; executable: string } | undefined {
  for (const line of lines) {
    const match = /^tenon (\d+\.\d+\.\d+) (.+)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined) {
      return { version: match[1], executable: match[2] };
    }
  }
  return undefined;
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** The first candidate that is new enough. `cwd` decides what version managers' shims start. */
export async function findPython(
  tried: readonly Candidate[],
  run: Run,
  options: { cwd: string; signal?: AbortSignal },
): Promise<Search> {
  const tooOld: Python[] = [];
  for (const [index, candidate] of tried.entries()) {
    options.signal?.throwIfAborted();
    let answer;
    try {
      const ended = await run(candidate.command, [...candidate.args, "-I", "-c", QUESTION], options);
      answer = ended.status === 0 ? parseAnswer(ended.lines) : undefined;
    } catch {
      options.signal?.throwIfAborted();
      continue; // there is no such command
    }
    if (answer === undefined) {
      continue;
    }
    const python = { ...candidate, ...answer };
    if (isNewEnough(python.version)) {
      return { python, tooOld, untried: tried.slice(index + 1) };
    }
    if (!tooOld.some((other) => other.executable === python.executable)) {
      tooOld.push(python);
    }
  }
  return { python: undefined, tooOld, untried: [] };
}
