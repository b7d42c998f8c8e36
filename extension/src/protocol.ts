/**
 * What `tenon serve` adds to LSP: a mirror of lsp_server/protocol.py and trainer_messages.py.
 *
 * tests/contract/test_extension.py holds names, fields and types to the Python side.
 */

// Requests of the editor.
/** `tenon/status` -> Status: what runs, and why there are no answers if there are none. */
export const STATUS = "tenon/status";
/** `tenon/adapters` (Where) -> AdapterList: what was learnt of a repository. */
export const ADAPTERS = "tenon/adapters";
/** `tenon/models` -> ModelLine[]: what can be served, and what is installed. */
export const MODELS = "tenon/models";
/** `tenon/why` (Where) -> Explanation | null: how the last request in a document, or in any, ended. */
export const WHY = "tenon/why";
/** `tenon/report` (Where) -> Page: what Tenon learnt and did. */
export const REPORT = "tenon/report";
/** `tenon/diagnostics` -> string: versions, model, health, last errors; no source text. */
export const DIAGNOSTICS = "tenon/diagnostics";

// Notifications.
/** `tenon/event` (Event), of the editor: what became of a suggestion, as far as it can tell. */
export const EVENT = "tenon/event";
/** `tenon/cursor` (Cursor), of the editor: where the cursor has come to rest. */
export const CURSOR = "tenon/cursor";
/** To the editor, `tenon/status/didChange` (Status): after every change that a user would notice. */
export const STATUS_DID_CHANGE = "tenon/status/didChange";

// Commands of the server (`workspace/executeCommand`). The language client registers them in the
// editor under these names, so the extension's own commands are named otherwise (`tenon.trainNow`).
/** (id): the editor runs it after a completion was accepted whole. */
export const COMPLETION_ACCEPTED = "tenon.completionAccepted";
/** (): end this machine's engine, which other editors share, and start it again at once. */
export const RESTART_ENGINE = "tenon.restartEngine";
/** (uri): have the trainer of a repository begin now. */
export const START_TRAINING = "tenon.startTraining";
/** (uri): end the run; what served before goes on serving. */
export const CANCEL_TRAINING = "tenon.cancelTraining";
/** (uri): hold the run and begin none; remembered across restarts. */
export const PAUSE_TRAINING = "tenon.pauseTraining";
/** (uri): undo `tenon.pauseTraining`. */
export const RESUME_TRAINING = "tenon.resumeTraining";
/** () -> boolean: install what training needs, after saying how large it is. */
export const SETUP_TRAINING = "tenon.setupTraining";
/** (id, uri): have an adapter serve, and go on whatever is promoted; `""` is none, `"auto"` the gate's choice. */
export const ACTIVATE_ADAPTER = "tenon.activateAdapter";
/** (uri) -> id: back to the adapter that served before. */
export const ROLLBACK_ADAPTER = "tenon.rollbackAdapter";
/** (name, noted): fetch a model if need be, and serve it; `noted`: the editor then writes it into `tenon.model`. */
export const CHOOSE_MODEL = "tenon.chooseModel";

/** The editor's capability, in LSP's `experimental`: it shows Status.trainer itself. */
export const SHOWS_TRAINER = "tenonShowsTrainer";

export type State = "starting" | "downloading" | "ready" | "disabled" | "stopped" | "error";
export type TrainerState =
  | "off"
  | "unavailable"
  | "idle"
  | "waiting"
  | "preparing"
  | "training"
  | "judging"
  | "paused"
  | "error";
export type PausedBy = "" | "user" | "typing" | "memory" | "battery";

/** The engine as the server sees it; speeds in tokens per second, 0 if not measured. */
export interface EngineReport {
  readonly state: string;
  readonly reason: string;
  readonly pid: number | null;
  readonly url: string;
  readonly context: number;
  readonly prefillSpeed: number;
  readonly decodeSpeed: number;
  readonly retryIn: number | null;
}

/** How one request ended: a reason code, its milliseconds, and where they went, by stage. */
export interface Outcome {
  readonly reason: string;
  readonly ms: number;
  readonly timings: Readonly<Record<string, number>>;
  readonly adapter: string | null;
}

/** How the last run ended; `finished` in seconds since the epoch, gains in nats per token. */
export interface Verdict {
  readonly adapter: string;
  readonly promoted: boolean;
  readonly gain: number;
  readonly lower: number | null;
  readonly spans: number;
  readonly reason: string;
  readonly finished: number;
}

/**
 * What the trainer of one repository does now. `message` says it in a sentence; `eta` is in
 * seconds, losses in nats per token; `step` of `steps` are training's or, while judging, spans;
 * `manual`: no run begins by itself.
 */
export interface TrainerReport {
  readonly state: TrainerState;
  readonly message: string;
  readonly root: string;
  readonly step: number;
  readonly steps: number;
  readonly loss: number | null;
  readonly heldOut: number | null;
  readonly tokensPerSecond: number;
  readonly eta: number | null;
  readonly pending: number;
  readonly waitingFor: readonly string[];
  readonly pausedBy: PausedBy;
  readonly manual: boolean;
  readonly last: Verdict | null;
}

/**
 * What a user may want to know about the server. `message` says in a sentence what the state means
 * and what to do about it; `adapter` null: the base alone serves; `recent`: newest last; `trainer` is
 * that of the repository that was asked about last, or the one that has a run under way.
 */
export interface Status {
  readonly state: State;
  readonly message: string;
  readonly version: string;
  readonly engine: EngineReport;
  readonly model: string;
  readonly adapter: string | null;
  readonly lastError: string;
  readonly recent: readonly Outcome[];
  readonly accepted: number;
  readonly trainer: TrainerReport | null;
}

/** A document or folder; empty stands for the one that was asked about last. */
export interface Where {
  readonly uri: string;
}

/**
 * One adapter, as a list shows it. `created` is ISO 8601 in UTC, `commit` git's; `gain` and `lower`
 * are the gate's figures in nats per token; `size` in bytes; `usable`: its model serves now and the
 * gate let it pass; `lost`: a gate did not, here or where it, or a part of it, was made.
 */
export interface AdapterLine {
  readonly id: string;
  readonly created: string;
  readonly commit: string | null;
  readonly verdict: string;
  readonly gain: number;
  readonly lower: number | null;
  readonly spans: number;
  readonly reason: string;
  readonly scale: number;
  readonly rank: number;
  readonly base: string;
  readonly size: number;
  readonly active: boolean;
  readonly pinned: boolean;
  readonly usable: boolean;
  readonly lost: boolean;
  readonly tags: readonly string[];
}

/**
 * The adapters of one repository, newest first; `active` null: the base alone serves it. `manual`: a
 * user chose that. `origin` says in words whose adapters these are, if not the folder's own; `trouble`
 * why nobody knows which one serves.
 */
export interface AdapterList {
  readonly root: string;
  readonly repository: string;
  readonly active: string | null;
  readonly adapters: readonly AdapterLine[];
  readonly manual: boolean;
  readonly origin: string;
  readonly trouble: string;
}

/** One model of the catalogue or the store; `size` in bytes. */
export interface ModelLine {
  readonly name: string;
  readonly size: number;
  readonly licence: string;
  readonly installed: boolean;
  readonly chosen: boolean;
  readonly trainable: boolean;
  readonly note: string;
}

/** A piece of a prompt. */
export interface Segment {
  readonly kind: "token" | "path" | "snippet" | "prefix" | "suffix";
  readonly text: string;
}

/**
 * How one request ended, and what was sent for it. `filters` say in words which steps changed or
 * dropped the answer; `snippets` are `path:line`; `raw` is what the model wrote, `text` what was shown.
 */
export interface Explanation {
  readonly reason: string;
  readonly sentence: string;
  readonly path: string;
  readonly line: number;
  readonly answeredBy: "engine" | "cache" | "nobody";
  readonly model: string;
  readonly adapter: string | null;
  readonly timings: Readonly<Record<string, number>>;
  readonly segments: readonly Segment[];
  readonly snippets: readonly string[];
  readonly filters: readonly string[];
  readonly raw: string;
  readonly text: string;
}

/** A self-contained HTML page, without scripts and without remote content. */
export interface Page {
  readonly html: string;
}

/** A place in an open document; line and character count from 0, in UTF-16 units. */
export interface Cursor {
  readonly uri: string;
  readonly line: number;
  readonly character: number;
}

/** What became of a suggestion; `inferred`: the editor's API did not tell, we concluded it. */
export interface Event {
  readonly id: string;
  readonly kind: "shown" | "accepted" | "partlyAccepted" | "dismissed";
  readonly characters: number;
  readonly inferred: boolean;
}
