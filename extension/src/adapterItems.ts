/** The adapters of a repository as lines to choose from; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";
import type { AdapterLine, AdapterList } from "./protocol";
import { age, size } from "./wording";

/** What `tenon.activateAdapter` takes for the gate's choice: the server's `switching.AUTOMATIC`. */
export const AUTOMATIC = "auto";

export interface AdapterItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  /** What `tenon.activateAdapter` takes; `""` is none. */
  readonly id: string;
  /** Whether this is what was chosen: to choose it again changes nothing. */
  readonly chosen: boolean;
  /** Whether choosing it has an effect: another model serves, or the gate rejected it. */
  readonly usable: boolean;
}

/** What stands above the list: whose adapters and whose choice these are, and what is wrong with them. */
export function adapterPrompt(list: AdapterList): string {
  const question = l10n.t("Which adapter shall complete in this repository?");
  const origin = list.origin === "" ? "" : l10n.t("Adapters {0}.", list.origin);
  const choice = list.manual ? l10n.t("What serves is your choice: newer ones do not replace it.") : "";
  return [list.trouble, origin, choice, question].filter((part) => part !== "").join(" ");
}

/** "Automatic" first, then the newest first, "None" last; `now` in milliseconds since the epoch. */
export function adapterItems(list: AdapterList, now: number): AdapterItem[] {
  // Where the choice cannot be read nobody knows what was chosen, and any choice repairs it.
  const isAutomatic = !list.manual && list.trouble === "";
  const automatic: AdapterItem = {
    label: marked("sync", l10n.t("Automatic: the gate's last promotion serves"), isAutomatic),
    description: "",
    detail: isAutomatic
      ? l10n.t("What is learnt next serves as soon as it proves better. Choose another line to keep that one.")
      : l10n.t("What is learnt next serves as soon as it proves better, in place of what you chose."),
    id: AUTOMATIC,
    chosen: isAutomatic,
    usable: true,
  };
  const alone = list.active === null || list.active === "";
  const none: AdapterItem = {
    label: marked("circle-slash", l10n.t("None"), alone),
    description: alone ? servesNow(list) : "",
    detail: l10n.t("The model alone completes, as it does in other repositories."),
    id: "",
    chosen: alone && list.manual,
    usable: true,
  };
  return [automatic, ...list.adapters.map((adapter) => adapterItem(adapter, list, now)), none];
}

function adapterItem(adapter: AdapterLine, list: AdapterList, now: number): AdapterItem {
  const parts = [
    adapter.active ? servesNow(list) : "",
    age(Date.parse(adapter.created), now),
    adapter.commit === null ? "" : l10n.t("commit {0}", adapter.commit.slice(0, 8)),
    adapter.pinned ? l10n.t("pinned") : "",
    adapter.tags.join(", "),
    adapter.verdict === "promoted" ? "" : adapter.verdict,
  ];
  return {
    label: marked(adapter.usable ? "layers" : "circle-large-outline", adapter.id, adapter.active),
    description: joined(parts),
    detail: joined([gateFigures(adapter), adapter.usable ? "" : unusable(adapter), size(adapter.size)]),
    id: adapter.id,
    chosen: adapter.active && list.manual,
    usable: adapter.usable,
  };
}

function servesNow(list: AdapterList): string {
  return list.manual ? l10n.t("serves now, by your choice") : l10n.t("serves now");
}

/** How much likelier held-out code became, in nats per token, and how sure that is. */
export function gateFigures(adapter: AdapterLine): string {
  const gain = signed(adapter.gain);
  return adapter.lower === null
    ? l10n.t("gain {0} nats/token on {1} spans", gain, adapter.spans)
    : l10n.t("gain {0} nats/token, at least {1}, on {2} spans", gain, signed(adapter.lower), adapter.spans);
}

function unusable(adapter: AdapterLine): string {
  if (adapter.verdict === "rejected") {
    return l10n.t("did not prove better: {0}", adapter.reason);
  }
  // Imported, or put together: another gate saw it, or a part of it.
  return adapter.lost
    ? l10n.t("it, or a part of it, did not prove better where it was made")
    : l10n.t("made for {0}, which does not serve now", adapter.base);
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

function marked(icon: string, label: string, active: boolean): string {
  return `$(${active ? "check" : icon}) ${label}`;
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" · ");
}
