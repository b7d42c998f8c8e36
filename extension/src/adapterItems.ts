/** The adapters of a repository as lines to choose from; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";
import type { AdapterLine, AdapterList } from "./protocol";
import { age, size } from "./wording";

export interface AdapterItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  /** What `tenon.activateAdapter` takes; `""` is none. */
  readonly id: string;
  readonly active: boolean;
  /** Whether choosing it has an effect: another model serves, or the gate rejected it. */
  readonly usable: boolean;
}

/** What stands above the list: whose adapters these are, and what is wrong with them. */
export function adapterPrompt(list: AdapterList): string {
  const question = l10n.t("Which adapter shall complete in this repository?");
  return [list.trouble, list.origin === "" ? "" : l10n.t("Adapters {0}.", list.origin), question]
    .filter((part) => part !== "")
    .join(" ");
}

/** Newest first, "None" last; `now` in milliseconds since the epoch. */
export function adapterItems(list: AdapterList, now: number): AdapterItem[] {
  const active = list.active === null || list.active === "";
  const none: AdapterItem = {
    label: marked("circle-slash", l10n.t("None"), active),
    description: active ? l10n.t("serves now") : "",
    detail: l10n.t("The model alone completes, as it does in other repositories."),
    id: "",
    active,
    usable: true,
  };
  return [...list.adapters.map((adapter) => adapterItem(adapter, now)), none];
}

function adapterItem(adapter: AdapterLine, now: number): AdapterItem {
  const parts = [
    adapter.active ? l10n.t("serves now") : "",
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
    active: adapter.active,
    usable: adapter.usable,
  };
}

/** How much likelier held-out code became, in nats per token, and how sure that is. */
export function gateFigures(adapter: AdapterLine): string {
  const gain = signed(adapter.gain);
  return adapter.lower === null
    ? l10n.t("gain {0} nats/token on {1} spans", gain, adapter.spans)
    : l10n.t("gain {0} nats/token, at least {1}, on {2} spans", gain, signed(adapter.lower), adapter.spans);
}

function unusable(adapter: AdapterLine): string {
  return adapter.verdict === "rejected"
    ? l10n.t("did not prove better: {0}", adapter.reason)
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
