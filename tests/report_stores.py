"""A store with a history: adapters that were judged, a run, and what became of suggestions."""

import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta

from lsp_server.store.adapters.manifest import AdapterManifest, GateSummary, write_adapter_manifest
from lsp_server.store.feedback import EventRecord, FeedbackStore, SuggestionRecord
from lsp_server.store.repositories import RepositoryStore

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REASONS = [("pair", "short body", 451), ("pair", "stub", 27), ("file", "no code", 22),
           ("file", "ignored", 13), ("pair", "accessor", 10)]  # fmt: skip


def with_history(paths, root, adapters=((0.012, -0.004), (0.041, 0.018), (0.063, 0.032))):
    """Adapters by (gain, lower), oldest first; the last serves. Returns the repository's store."""
    store = RepositoryStore.of(paths, root)
    made = [
        _adapter(store, gain, lower, NOW - timedelta(days=3 * (len(adapters) - place)))
        for place, (gain, lower) in enumerate(adapters)
    ]
    if made:
        choice = {"adapter_id": made[-1], "scale": 0.75}
        store.active_json.write_text(json.dumps(choice), encoding="utf-8")
    _run(store)
    _feedback(paths, store, made)
    return store


def _adapter(store, gain, lower, created):
    promoted = lower is not None and lower > 0
    name = f"{created:%Y%m%dT%H%M%SZ}-{created.day:08x}"
    folder = store.adapters / name
    folder.mkdir(parents=True)
    verdict = "promoted" if promoted else "rejected"
    reason = "better on newer code" if promoted else "not certainly better on newer code"
    manifest = AdapterManifest(
        repository=store.name, commit="81047532254a8dc20b20181a5750e9f41f939409", base="b" * 64,
        base_name="tenon-starter", fim_format="tenon-starter", recipe={}, data_sha256="d" * 64,
        rank=16, scale=0.75, verdict=verdict,
        gate=GateSummary(gain=gain, lower=lower, spans=214, reason=reason),
        id=name, created=created, sha256="a" * 64, size=9_797_696, made_by="0.1.0",
    )  # fmt: skip
    write_adapter_manifest(folder, manifest)
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    gate = {
        "verdict": verdict,
        "reasons": [reason],
        "sweep": {
            "spans": 214, "files": 31, "planned": 295, "general_spans": 60, "baseline": "base",
            "scale": 0.75,
            "arms": [
                {"name": "base", "scale": None, "nll": 1.412, "general_nll": 1.871},
                {"name": "candidate@0.75", "scale": 0.75, "nll": 1.412 - gain,
                 "general_nll": 1.873, "gain": gain, "lower": lower},
            ],
        },
        "answers": 80,
        "guards": [
            {"name": "exact match", "baseline": 0.21, "candidate": 0.2375, "upper": 0.09,
             "passed": True},
            {"name": "stopped by itself", "baseline": 0.98, "candidate": 0.97, "upper": None,
             "passed": True},
        ],
    }  # fmt: skip
    (folder / "gate.json").write_text(json.dumps(gate), encoding="utf-8")
    return name


def _run(store):
    folder = store.runs / "20261121T115500Z"
    folder.mkdir(parents=True)
    start = (NOW - timedelta(days=3)).timestamp()
    events = [
        {"kind": "stage", "stage": "parsing and curating"},
        {"kind": "material", "files": 212, "pairs": 640, "samples": 3180, "lines": 26080,
         "held_out": 2140, "split": "commit 8104753 of 2026-11-02", "newer": 295, "general": 100},
        {"kind": "stage", "stage": "training"},
    ]  # fmt: skip
    random_loss = random.Random(7)
    for step in range(0, 201, 4):
        loss = 0.9 + 0.9 * 0.985**step + random_loss.gauss(0, 0.04) if step else None
        heldout = 1.1 + 0.45 * 0.98**step + 0.0006 * max(0, step - 120) if step % 40 == 0 else None
        events.append(
            {"kind": "step", "step": step, "steps": 200, "loss": loss, "heldout": heldout}
        )
    events.append({"kind": "verdict", "verdict": "promoted"})
    lines = [json.dumps({"time": start + 6 * place, **it}) for place, it in enumerate(events)]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    left_out = [
        json.dumps({"path": f"src/part_{number}.py", "what": what, "name": "f", "reason": reason})
        for what, reason, count in REASONS
        for number in range(count)
    ]
    (folder / "samples.jsonl").write_text("\n".join(left_out) + "\n", encoding="utf-8")


def _feedback(paths, store, adapters):
    chance = random.Random(3)
    suggestions, events = [], []
    for day in range(14):
        at = (NOW - timedelta(days=13 - day)).timestamp()
        for number in range(60):
            name = f"{day}-{number}"
            adapter = adapters[-1] if adapters and day > 5 and number % 4 else None
            latency = max(20.0, chance.gauss(190 if adapter else 170, 60))
            suggestions.append(SuggestionRecord(name, at, store.folder.name, "python", adapter,
                               "tenon-starter", "engine", latency, 42, 2))  # fmt: skip
            if chance.random() < 0.6:
                events.append(EventRecord(name, at, "shown", 0, inferred=True))
                luck = chance.random()
                if luck < (0.41 if adapter else 0.28):
                    events.append(EventRecord(name, at, "accepted", 42))
                elif luck < 0.5:
                    events.append(EventRecord(name, at, "partlyAccepted", 9, inferred=True))
                elif luck < 0.9:
                    events.append(EventRecord(name, at, "dismissed", 0, inferred=True))
    with closing(FeedbackStore.open(paths.feedback, NOW.timestamp())) as kept:
        kept.add(suggestions, events)
