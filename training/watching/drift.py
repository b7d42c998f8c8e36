"""How the served adapter does on code that was saved since it was judged, asked of the engine.

The engine is asked as background work, for a few lines, and only if it runs anyway.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec

from lsp_server.completion.budget import budget_for
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import find
from lsp_server.prompt.assemble import Source
from lsp_server.prompt.window import Budget
from lsp_server.store.adapters import ActiveAdapter, AdapterRegistry
from lsp_server.store.adapters.manifest import GATE, base_identity
from lsp_server.store.choosing import serving_store
from lsp_server.store.files import RepositoryFile, read_file
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.rules import Rules
from lsp_server.store.trainer_state import DriftScores
from lsp_server.store.walking import Found, walk

from ..evaluation.asking import Asker
from ..evaluation.stretches import Stretch, in_turns, stretches_without_secrets, with_context
from ..gate.report import STRETCHES, GateReport
from ..gate.scoring import CACHE_KEY, Arm, score
from ..gate.timing import TimeBudget
from ..outlines.outline import outline
from ..served import ENDS, LATENCY_TARGET_MS
from .pairs import PairRecord, countable

FILES = 12
"""Of so many is a stretch asked at one look, at most: lines of one file tell less."""
SECONDS = 30.0
"""For one look, at most."""


async def measure(root: Path, paths: StorePaths, seed: int) -> DriftScores | None:
    """One look; None if no engine runs, if it has no adapter of this repository, or if nothing is
    new. Raises ``EngineError`` and ``SettingsError``.
    """
    running = find(paths)
    if running is None:
        return None
    engine = running.connect()
    try:
        info = await engine.ask_info()
        store = RepositoryStore.of(paths, root)
        serving = AdapterRegistry(serving_store(paths, root).store)
        active = serving.usable(base_identity(ModelStore(paths), info.model, info.sha256))
        if active is None or active.adapter.id not in info.adapters:
            return None
        gate, end = _gate(active), await _end_token(engine, info.fim.name)
        found = _stretches(root, store, Random(seed))
        if gate is None or end is None or not found:
            return None
        budget, asker = budget_for(info, LATENCY_TARGET_MS), Asker(engine, CACHE_KEY)
        with RepositoryIndex.reading(store.index) as index:
            asked = [await _with_context(each, asker, index, budget) for each in found]
        arms = [Arm(active.adapter.id, active.adapter.id)]
        within = TimeBudget(SECONDS)
        scores = await score(engine, asked, arms, budget, end=end, within=within)
        name = active.adapter.id
        told = ((it.example.file, it.nll[name] / it.tokens) for it in scores if it.tokens)
        return DriftScores(adapter=name, gate=gate, spans=tuple(told))
    finally:
        await engine.aclose()


def _gate(active: ActiveAdapter) -> float | None:
    """The mean that the gate found for this adapter; None for one that was never judged, or that
    was asked otherwise.
    """
    try:
        data = active.adapter.path.with_name(GATE).read_bytes()
        report = msgspec.json.decode(data, type=GateReport)
    except (OSError, msgspec.DecodeError):
        return None
    return report.sweep.chosen.nll if report.sweep and report.asked == STRETCHES else None


async def _end_token(engine: HttpEngine, fim: str) -> int | None:
    if fim not in ENDS:
        return None
    (tokens,) = await engine.tokenize([ENDS[fim]], special=True)
    return tokens[0] if len(tokens) == 1 else None


def _stretches(root: Path, store: RepositoryStore, random: Random) -> list[Stretch]:
    """Of code that was not learnt yet, as the gate asks for; of few files each look, and a few of
    each.
    """
    by_file: list[list[Stretch]] = []
    with PairRecord.of(store) as record:
        for file in _read(root, record.pending_files(FILES)):
            found = outline(file.text, file.language)
            pairs = countable(found) if found else ()
            spans = [(it.start, it.end) for it, name in pairs if record.is_pending(name)]
            by_file.append(stretches_without_secrets(file, spans, random, root.name))
    return in_turns(by_file, FILES, random)


def _read(root: Path, paths: Sequence[str]) -> Iterator[RepositoryFile]:
    rules = Rules.of(root)
    for path in paths:
        folder = path[: path.rfind("/") + 1]
        for entry in walk(root, rules, below=folder, deep=False):
            if isinstance(entry, Found) and entry.path == path:
                file = read_file(entry, rules)
                if isinstance(file, RepositoryFile):
                    yield file


async def _with_context(
    stretch: Stretch, asker: Asker, index: RepositoryIndex, budget: Budget
) -> Stretch:
    of = stretch[0]
    source = Source(of.prefix, of.suffix, of.path, of.repository)
    return with_context(stretch, await asker.snippets(source, index, budget))
