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

/** A list of strings out of a setting that a user may have written anything into. */
export function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
