/** The models that can be served as lines to choose from; knows nothing of VS Code. */

import * as l10n from "@vscode/l10n";
import type { ModelLine } from "./protocol";
import { size } from "./wording";

export interface ModelItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly name: string;
}

/**
 * The one that serves first, then what was chosen and does not serve, then those that are installed;
 * otherwise in the server's order. `serving` is its name, empty if none does.
 */
export function modelItems(models: readonly ModelLine[], serving: string): ModelItem[] {
  const rank = (model: ModelLine): number =>
    model.name === serving ? 0 : model.chosen ? 1 : model.installed ? 2 : 3;
  return models.toSorted((one, other) => rank(one) - rank(other)).map((model) => modelItem(model, serving));
}

function modelItem(model: ModelLine, serving: string): ModelItem {
  const serves = model.name === serving;
  const icon = serves ? "check" : model.installed ? "device-desktop" : "cloud-download";
  const parts = [
    serves ? l10n.t("serves now") : model.installed ? l10n.t("installed") : l10n.t("to be downloaded"),
    model.size > 0 ? size(model.size) : "",
    model.licence,
  ];
  const learns = model.trainable ? l10n.t("can learn your repositories") : l10n.t("cannot be trained");
  return {
    label: `$(${icon}) ${model.name}`,
    description: parts.filter((part) => part !== "").join(" · "),
    detail: model.note === "" ? learns : `${learns} · ${model.note}`,
    name: model.name,
  };
}
