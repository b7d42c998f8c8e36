/** What pip is doing, in words for somebody who has never heard of it; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";

/** The words for a line of pip's output; undefined if it is nothing new to a user. */
export function pipProgress(line: string): string | undefined {
  const text = line.trim();
  if (/^Building wheel for llama.cpp.python/i.test(text)) {
    return l10n.t("compiling llama.cpp, which takes some minutes");
  }
  const fetched = /^(?:Collecting|Downloading|Using cached) (?:\S*\/)?([A-Za-z0-9][\w.-]*?)(?:[-=<>!~; [(]|$)/.exec(text);
  if (fetched?.[1] !== undefined) {
    return l10n.t("fetching {0}", fetched[1]);
  }
  if (text.startsWith("Installing build dependencies")) {
    return l10n.t("fetching build tools");
  }
  return text.startsWith("Installing collected packages") ? l10n.t("installing") : undefined;
}
