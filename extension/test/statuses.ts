/** Statuses and reports as a server would send them, for tests to change. */

import type { AdapterLine, Status, TrainerReport } from "../src/protocol";

export function status(changes: Partial<Status> = {}): Status {
  return {
    state: "ready",
    message: "tenon-starter is serving.",
    version: "0.1.0",
    engine: { state: "ready", reason: "", pid: 1, url: "", context: 4096, prefillSpeed: 150, decodeSpeed: 50, retryIn: null },
    model: "tenon-starter",
    adapter: null,
    lastError: "",
    recent: [],
    accepted: 0,
    trainer: null,
    ...changes,
  };
}

export function report(changes: Partial<TrainerReport> = {}): TrainerReport {
  return {
    state: "idle",
    message: "",
    root: "/repo",
    step: 0,
    steps: 0,
    loss: null,
    heldOut: null,
    tokensPerSecond: 0,
    eta: null,
    pending: 0,
    waitingFor: [],
    pausedBy: "",
    manual: false,
    last: null,
    ...changes,
  };
}

export function adapter(changes: Partial<AdapterLine> = {}): AdapterLine {
  return {
    id: "20261124-1200-abcd",
    created: "2026-11-24T12:00:00Z",
    commit: "0123456789abcdef",
    verdict: "promoted",
    gain: 0.0521,
    lower: 0.031,
    spans: 200,
    reason: "better",
    scale: 0.75,
    rank: 16,
    base: "tenon-starter",
    size: 12_400_000,
    active: false,
    pinned: false,
    usable: true,
    lost: false,
    tags: [],
    ...changes,
  };
}
