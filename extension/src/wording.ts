/** Numbers, sizes, times and names as people read them; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";

/** 0.42 as "42 %". */
export function percent(part: number): string {
  return `${Math.round(100 * Math.min(1, Math.max(0, part)))} %`;
}

/** Seconds as "40 s", "3 min" or "1 h 20 min". */
export function duration(seconds: number): string {
  if (seconds < 60) {
    return l10n.t("{0} s", Math.max(1, Math.round(seconds)));
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) {
    return l10n.t("{0} min", minutes);
  }
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest === 0 ? l10n.t("{0} h", hours) : l10n.t("{0} h {1} min", hours, rest);
}

/** Bytes as "98 MB" or "1.6 GB". */
export function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

/** How long ago a moment was, of which both are milliseconds since the epoch. */
export function age(then: number, now: number): string {
  const minutes = Math.floor((now - then) / 60_000);
  if (!(minutes >= 1)) {
    return l10n.t("just now");
  }
  if (minutes < 60) {
    return l10n.t("{0} min ago", minutes);
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return l10n.t("{0} h ago", hours);
  }
  const days = Math.floor(hours / 24);
  return days === 1 ? l10n.t("yesterday") : l10n.t("{0} days ago", days);
}

/** At most `length` characters of a text's first line. */
export function shortened(text: string, length: number): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length <= length ? line : `${line.slice(0, length - 1).trimEnd()}…`;
}
