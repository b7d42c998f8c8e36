/** What can go wrong in a set-up, told from pip's and Python's own words; sentences for the user. */

import * as l10n from "@vscode/l10n";

export type FailureKind =
  | "pythonMissing"
  | "pythonTooOld"
  | "noVenv"
  | "noCompiler"
  | "noNetwork"
  | "noSpace"
  | "noWheel"
  | "other";

/** A set-up that failed; `detail` is the tool's last word, for the sentence and the log. */
export class SetupFailure extends Error {
  override readonly name = "SetupFailure";

  constructor(
    readonly kind: FailureKind,
    readonly detail = "",
  ) {
    super(detail === "" ? kind : `${kind}: ${detail}`);
  }
}

// The order matters: without a network an index is asked in vain before a build is tried, and a
// full disk ends a compilation, too.
const SIGNS: readonly (readonly [FailureKind, RegExp])[] = [
  ["noSpace", /No space left on device|ENOSPC|Errno 28|not enough space on the disk/i],
  ["noVenv", /ensurepip is not\s+available|No module named '?(venv|ensurepip)|apt install python3[\d.]*-venv/i],
  [
    "noCompiler",
    /CMAKE_C(XX)?_COMPILER|Failed building wheel for llama.cpp.python|Failed to build .*llama.cpp.python|Microsoft Visual C\+\+ 14|CMake was unable to find a build program/i,
  ],
  [
    "noNetwork",
    /NewConnectionError|Name or service not known|Temporary failure in name resolution|getaddrinfo failed|nodename nor servname|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeoutError|ProxyError|Max retries exceeded|No matching distribution found/i,
  ],
];

/** The kind of a failure, by what was written; `other` if nothing speaks for another. */
export function classify(lines: readonly string[]): FailureKind {
  const text = lines.join("\n");
  return SIGNS.find(([, sign]) => sign.test(text))?.[0] ?? "other";
}

/** The line that says most of what failed: the last `error:` of pip, or the last line. */
export function lastWord(lines: readonly string[]): string {
  const spoken = lines.map((line) => line.trim()).filter((line) => line !== "");
  const error = spoken.findLast((line) => /^(error|fatal|\w*Error)\b/i.test(line));
  return (error ?? spoken.at(-1) ?? "").slice(0, 300);
}

/** What a tool that failed wrote, as a failure: with its last word, or what it says to do. */
export function failureOf(lines: readonly string[]): SetupFailure {
  const kind = classify(lines);
  return new SetupFailure(kind, kind === "noVenv" ? toInstall(lines) : lastWord(lines));
}

/** Debian's Python says which package its venv is in: one for each release of Python. */
function toInstall(lines: readonly string[]): string {
  return /apt install python3[\d.]*-venv/.exec(lines.join("\n"))?.[0] ?? "";
}

/** What failed and what to do about it, in a sentence or two. */
export function sentence(failure: SetupFailure): string {
  switch (failure.kind) {
    case "pythonMissing":
      return l10n.t("Tenon needs Python 3.11 or newer, and none was found. Install one, or choose where it is.");
    case "pythonTooOld":
      return l10n.t("Tenon needs Python 3.11 or newer; what was found is older ({0}). Install one, or choose where it is.", failure.detail);
    case "noVenv":
      return l10n.t(
        "This Python cannot make virtual environments. On Debian and Ubuntu: `sudo {0}`.",
        failure.detail === "" ? "apt install python3-venv" : failure.detail,
      );
    case "noCompiler":
      return l10n.t("llama-cpp-python could not be compiled; most often a C++ compiler is missing. Install one, or set PIP_EXTRA_INDEX_URL to an index of prebuilt wheels.");
    case "noNetwork":
      return l10n.t("The package index cannot be reached, or lacks a package for this Python. Check the network, the proxy, and pip's settings.");
    case "noSpace":
      return l10n.t("The disk is full: Tenon needs about 1 GB.");
    case "noWheel":
      return l10n.t("This build of the extension holds no server. Set `tenon.server.path`, or install the extension again.");
    case "other":
      return l10n.t("Tenon could not be set up: {0}", failure.detail);
  }
}

/** What a notification offers besides the log. */
export type Remedy = "retry" | "choosePython" | "getPython" | "explain";

export function remedies(kind: FailureKind): readonly Remedy[] {
  switch (kind) {
    case "pythonMissing":
    case "pythonTooOld":
      return ["choosePython", "getPython"];
    case "noCompiler":
      return ["retry", "explain"];
    case "noWheel":
      return [];
    case "noSpace":
      return ["retry"];
    case "noVenv":
    case "noNetwork": // packages may be missing for this Python alone
    case "other":
      return ["retry", "choosePython"];
  }
}
