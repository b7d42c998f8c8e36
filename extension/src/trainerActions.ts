/** What may be asked of the trainer now: the context keys that commands are enabled by. */

import type { TrainerReport } from "./protocol";

export interface TrainerActions {
  readonly canTrain: boolean;
  readonly canCancel: boolean;
  readonly canPause: boolean;
  readonly canResume: boolean;
}

/**
 * `report` undefined: no server runs; null: it has no trainer yet, and may be asked for one. `manual`:
 * this window's settings have nothing begin by itself; a repository's own go before them, and a report
 * knows both.
 */
export function trainerActions(report: TrainerReport | null | undefined, manual: boolean): TrainerActions {
  if (report === undefined) {
    return { canTrain: false, canCancel: false, canPause: false, canResume: false };
  }
  const state = report?.state ?? "idle";
  const atWork = state === "preparing" || state === "training" || state === "judging";
  const byUser = report?.pausedBy === "user";
  const held = state === "paused";
  const byItself = !(report?.manual ?? manual);
  return {
    // Also where nothing is learnt: the server then says why not, and what to do about it.
    canTrain: !atWork && !held,
    canCancel: atWork || held,
    // A run, or what would begin one by itself: otherwise there is nothing to hold back.
    canPause: atWork || (held && !byUser) || (byItself && (state === "idle" || state === "waiting")),
    canResume: held && byUser,
  };
}
