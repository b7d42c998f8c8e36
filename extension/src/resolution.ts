/**
 * Where the server comes from. The first that applies wins:
 *
 * 1. `tenon.server.path`: the `tenon` of an installation of the user's own. `~` is the home folder.
 *    If no file is there, that is an error: something else would run than what the user named.
 * 2. The virtual environment in the extension's storage, if its set-up was finished and it holds
 *    the wheel of this extension or a newer one.
 * 3. That environment after a set-up, or an upgrade, from the wheel inside the .vsix.
 *
 * A `tenon` on PATH is never taken: it would depend on how the editor was started, and an
 * activated environment of the opened repository would come first.
 */

import * as path from "node:path";

/** The wheel inside the .vsix. */
export interface Wheel {
  readonly file: string;
  readonly version: string;
  readonly sha256: string;
}

/** Written when a set-up was finished: what the environment holds, and made with which Python. */
export interface Marker {
  readonly version: string;
  readonly sha256: string;
  readonly python: string;
}

export type Resolution =
  | { readonly kind: "path"; readonly command: string }
  | { readonly kind: "notFound"; readonly path: string }
  | { readonly kind: "environment" }
  | { readonly kind: "setUp"; readonly upgrade: boolean };

/** What resolving needs to know; `exists` is asked only about a path that the user set. */
export interface Findings {
  readonly serverPath: string;
  readonly home: string;
  readonly marker: Marker | undefined;
  readonly wheel: Wheel | undefined;
  readonly exists: (file: string) => Promise<boolean>;
}

/** See the module's comment. */
export async function resolve(findings: Findings): Promise<Resolution> {
  if (findings.serverPath.trim() !== "") {
    const command = expandHome(findings.serverPath.trim(), findings.home);
    return path.isAbsolute(command) && (await findings.exists(command))
      ? { kind: "path", command }
      : { kind: "notFound", path: command };
  }
  const { marker, wheel } = findings;
  if (marker === undefined) {
    return { kind: "setUp", upgrade: false };
  }
  return wheel !== undefined && isUpgrade(marker, wheel)
    ? { kind: "setUp", upgrade: true }
    : { kind: "environment" };
}

/** `~` and `~/…` as the home folder. */
export function expandHome(file: string, home: string): string {
  return /^~(?=$|[/\\])/.test(file) ? home + file.slice(1) : file;
}

/** Whether a wheel is newer than what was set up, or another build of the same version. */
export function isUpgrade(marker: Marker, wheel: Wheel): boolean {
  const order = compareVersions(wheel.version, marker.version);
  return order > 0 || (order === 0 && wheel.sha256 !== marker.sha256);
}

/** Release numbers in the order of PEP 440; of one release, a pre-release comes before it. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [release(one), release(other)];
  const length = Math.max(left.numbers.length, right.numbers.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return left.rank - right.rank || left.suffix.localeCompare(right.suffix, "en", { numeric: true });
}

function release(version: string): { numbers: number[]; suffix: string; rank: number } {
  const match = /^v?(\d+(?:\.\d+)*)(.*)$/.exec(version.trim());
  const numbers = (match?.[1] ?? "0").split(".").map(Number);
  const suffix = (match?.[2] ?? "").toLowerCase();
  const rank = /^[-_.]?dev/.test(suffix) ? 0 : /^[-_.]?(a|b|c|rc)/.test(suffix) ? 1 : suffix ? 3 : 2;
  return { numbers, suffix, rank };
}
