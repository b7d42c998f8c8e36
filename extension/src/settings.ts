/** The settings that go to the server, and how commands change them; knows nothing of VS Code. */

/** Every field of the server's `ServerSettings`, as `tenon.NAME` in package.json. */
export const SERVER_SETTINGS = [
  "enabled",
  "disabledLanguages",
  "model",
  "engineUrl",
  "engineApiKeyFile",
  "latencyTargetMs",
  "maxLines",
  "multiline",
  "debounceMs",
  "gpuLayers",
  "threads",
  "contextTokens",
  "idleExitSeconds",
  "offerModels",
  "training",
  "trainingMinChanges",
  "trainingIdleSeconds",
  "trainingMinGapMinutes",
  "trainingOnBattery",
  "trainingHours",
  "baseShare",
  "feedback",
  "maxFileBytes",
  "logLevel",
] as const;

export type ServerSetting = (typeof SERVER_SETTINGS)[number];

/** What a configuration of VS Code gives for a name below `tenon`. */
export type Reader = (name: string) => unknown;

/**
 * The settings as the server gets them. `tenon.server.path` is the extension's own and stays here.
 * A workspace that is not trusted is not learnt: its code could be anybody's.
 */
export function wireSettings(read: Reader, trusted: boolean): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const name of SERVER_SETTINGS) {
    const value = read(name);
    if (value !== undefined) {
      settings[name] = value;
    }
  }
  return trusted ? settings : { ...settings, training: "off" };
}

/** `tenon.disabledLanguages` with a language taken out if it was in, and added if it was not. */
export function toggledLanguages(disabled: readonly string[], language: string): string[] {
  return disabled.includes(language)
    ? disabled.filter((entry) => entry !== language)
    : [...disabled, language].sort();
}

/** What VS Code's `inspect` tells of a setting, as far as it matters here. */
export interface Levels<T> {
  readonly defaultValue?: T;
  readonly globalValue?: T;
  readonly workspaceValue?: T;
}

export type Level = "global" | "workspace";

/** Where a change of a setting has an effect: a value of the workspace's overrules the user's. */
export function levelOf(levels: Levels<unknown> | undefined): Level {
  return levels?.workspaceValue === undefined ? "global" : "workspace";
}

/**
 * What is to be written there, so that `value` holds. Undefined takes the workspace's own value away,
 * where the user's says the same: it would stand in the way of the user's next change.
 */
export function written<T>(value: T, level: Level, levels: Levels<T> | undefined): T | undefined {
  const elsewhere = levels?.globalValue ?? levels?.defaultValue;
  return level === "workspace" && value === elsewhere ? undefined : value;
}

/** A list of strings out of a setting that a user may have written anything into. */
export function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
